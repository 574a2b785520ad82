/** DynamoDB's expressions, built from plain objects: the only dialect the rest of the code needs. */

/** All parts must hold; `login.smtp` names a field within a map. An absent attribute counts as below any number. */
export interface Condition {
  exists?: boolean
  equals?: Record<string, string | number | boolean>
  oneOf?: Record<string, string[]>
  atMost?: Record<string, number>
}

export interface Change {
  set?: Record<string, unknown>
  remove?: string[]
  add?: Record<string, number>
}

/** Writes condition and change as DynamoDB's expressions; every name goes in as a placeholder (reserved words). */
export function expressions(change: Change, condition: Condition | undefined) {
  const names: Record<string, string> = {}
  const values: Record<string, unknown> = {}
  const placeholderOf = (path: string) =>
    path
      .split('.')
      .map(attribute => {
        const placeholder = `#${attribute.replace(/[^A-Za-z0-9]/g, '_')}`
        names[placeholder] = attribute
        return placeholder
      })
      .join('.')
  let count = 0
  const placeholderFor = (value: unknown) => {
    const placeholder = `:v${count++}`
    values[placeholder] = value
    return placeholder
  }

  const parts: string[] = []
  if (condition?.exists === true) parts.push(`attribute_exists(${placeholderOf('pk')})`)
  if (condition?.exists === false) parts.push(`attribute_not_exists(${placeholderOf('pk')})`)
  for (const [attribute, value] of Object.entries(condition?.equals ?? {})) {
    parts.push(`${placeholderOf(attribute)} = ${placeholderFor(value)}`)
  }
  for (const [attribute, list] of Object.entries(condition?.oneOf ?? {})) {
    parts.push(`${placeholderOf(attribute)} IN (${list.map(placeholderFor).join(', ')})`)
  }
  for (const [attribute, value] of Object.entries(condition?.atMost ?? {})) {
    const name = placeholderOf(attribute)
    parts.push(`(attribute_not_exists(${name}) OR ${name} <= ${placeholderFor(value)})`)
  }

  const set = Object.entries(change.set ?? {}).filter(([, value]) => value !== undefined)
  const updates = [
    set.length > 0 && `SET ${set.map(([a, v]) => `${placeholderOf(a)} = ${placeholderFor(v)}`).join(', ')}`,
    change.remove?.length && `REMOVE ${change.remove.map(placeholderOf).join(', ')}`,
    change.add &&
      `ADD ${Object.entries(change.add)
        .map(([a, v]) => `${placeholderOf(a)} ${placeholderFor(v)}`)
        .join(', ')}`,
  ].filter(part => typeof part === 'string')

  return {
    ...(parts.length > 0 && { ConditionExpression: parts.join(' AND ') }),
    ...(updates.length > 0 && { UpdateExpression: updates.join(' ') }),
    ...(Object.keys(names).length > 0 && { ExpressionAttributeNames: names }),
    ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
  }
}
