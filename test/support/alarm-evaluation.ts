/**
 * What CloudWatch makes of an alarm, from its properties in the template and from metrics that are made up: statistics over
 * periods, metric math as far as our alarms use it, and the documented rules for data that is missing.
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
 */

import { plainName } from '../../infra/local/template.ts'

/** What a metric is given in each minute, by its name and what it is of: `Errors Send`; undefined where it writes nothing. */
export type Series = Record<string, ((minute: number) => number | undefined) | undefined>
type Value = number | undefined

interface MetricProperties {
  MetricName: string
  Dimensions?: { Name: string; Value: unknown }[]
}

export interface AlarmProperties extends Partial<MetricProperties> {
  AlarmName: string
  Period?: number
  Statistic?: string
  Metrics?: {
    Id: string
    Expression?: string
    ReturnData?: boolean
    Period?: number
    MetricStat?: { Metric: MetricProperties; Period: number; Stat: string }
  }[]
  Threshold: number
  ComparisonOperator: string
  EvaluationPeriods: number
  DatapointsToAlarm?: number
  TreatMissingData: string
}

/** @returns its state at the end of each of its periods */
export function statesOf(alarm: AlarmProperties, series: Series, minutes: number): ('OK' | 'ALARM')[] {
  const points = pointsOf(alarm, series, minutes)
  return points.map((_, index) => stateAfter(points.slice(0, index + 1), alarm))
}

/** More is looked at than is wanted, so that what is missing can be passed over. */
const lookedAtBesides = 2

/** @param points oldest first */
export function stateAfter(points: Value[], alarm: Omit<AlarmProperties, 'AlarmName'>): 'OK' | 'ALARM' {
  const { EvaluationPeriods: wanted, DatapointsToAlarm: needed = wanted, TreatMissingData } = alarm
  const real = points.slice(-(wanted + lookedAtBesides)).filter(point => point !== undefined)
  const breaching = real.slice(-wanted).filter(point => isBreaching(point, alarm)).length
  const missing = TreatMissingData === 'breaching' ? Math.max(0, wanted - real.length) : 0
  return breaching + missing >= needed ? 'ALARM' : 'OK'
}

function isBreaching(value: number, { ComparisonOperator, Threshold }: Omit<AlarmProperties, 'AlarmName'>) {
  if (ComparisonOperator === 'GreaterThanOrEqualToThreshold') return value >= Threshold
  if (ComparisonOperator === 'LessThanThreshold') return value < Threshold
  throw new Error(`${ComparisonOperator} is not known here`)
}

function pointsOf(alarm: AlarmProperties, series: Series, minutes: number): Value[] {
  const { Metrics, MetricName, Dimensions, Period = 0, Statistic = '' } = alarm
  if (!Metrics)
    return pointsOfMetric({ Metric: { MetricName: MetricName ?? '', Dimensions }, Period, Stat: Statistic })
  const named = Object.fromEntries(
    Metrics.flatMap(({ Id, MetricStat }) => (MetricStat ? [[Id, pointsOfMetric(MetricStat)]] : [])),
  )
  const { Expression = '' } = Metrics.find(({ ReturnData }) => ReturnData !== false) ?? {}
  const count = Math.max(...Object.values(named).map(points => points.length))
  return Array.from({ length: count }, (_, index) =>
    evaluate(
      Expression,
      Object.fromEntries(Object.entries(named).map(([id, points]) => [id, points[index]])),
    ),
  )

  function pointsOfMetric({
    Metric,
    Period,
    Stat,
  }: {
    Metric: MetricProperties
    Period: number
    Stat: string
  }) {
    const given = series[seriesName(Metric)]
    const length = Period / 60
    return Array.from({ length: Math.floor(minutes / length) }, (_, period) => {
      const samples = Array.from({ length }, (_, minute) => given?.(period * length + minute)).filter(
        sample => sample !== undefined,
      )
      if (samples.length === 0) return undefined
      if (Stat === 'Sum') return samples.reduce((sum, sample) => sum + sample, 0)
      if (Stat === 'Maximum') return Math.max(...samples)
      throw new Error(`${Stat} is not known here`)
    })
  }
}

/** `Errors Send`, or the name alone where the only dimension is the system's own, or there is none. */
export function seriesName({ MetricName, Dimensions = [] }: MetricProperties): string {
  const [id] = /(?<="(?:Ref|Fn::GetAtt)":\[?")\w+/.exec(JSON.stringify(Dimensions)) ?? []
  return id ? `${MetricName} ${plainName(id)}` : MetricName
}

/** What is missing makes all that is made of it missing, but for `FILL`. */
export function evaluate(expression: string, values: Record<string, Value>): Value {
  const tokens = expression.match(/[A-Za-z]\w*|[\d.]+|>=|<=|[-+*/<>(),]/g) ?? []
  const take = (wanted?: string): string => {
    const token = tokens.shift() ?? 'the end'
    if (wanted !== undefined && token !== wanted)
      throw new Error(`${wanted} instead of ${token}: ${expression}`)
    return token
  }
  const both = (left: Value, right: Value, make: (left: number, right: number) => number | boolean): Value =>
    left === undefined || right === undefined ? undefined : Number(make(left, right))
  /** From what binds least to what binds most. */
  const levels: Record<string, (left: number, right: number) => number | boolean>[] = [
    { OR: (left, right) => left !== 0 || right !== 0 },
    { AND: (left, right) => left !== 0 && right !== 0 },
    { '>': (a, b) => a > b, '<': (a, b) => a < b, '>=': (a, b) => a >= b, '<=': (a, b) => a <= b },
    { '+': (a, b) => a + b, '-': (a, b) => a - b },
    { '*': (a, b) => a * b, '/': (a, b) => a / b },
  ]
  const level = (depth: number): Value => {
    const operators = levels[depth]
    if (!operators) return operand()
    let value = level(depth + 1)
    for (let make = operators[tokens[0] ?? '']; make; make = operators[tokens[0] ?? '']) {
      take()
      value = both(value, level(depth + 1), make)
    }
    return value
  }
  const argument = (): Value => {
    const value = level(0)
    if (tokens[0] === ',') take()
    return value
  }
  function operand(): Value {
    const token = take()
    if (/^[\d.]+$/.test(token)) return Number(token)
    if (token !== '(' && tokens[0] !== '(') {
      if (token in values) return values[token]
      throw new Error(`${token} is not known here: ${expression}`)
    }
    if (token !== '(') take('(')
    const value = called(token)
    take(')')
    return value
  }
  function called(name: string): Value {
    if (name === '(') return level(0)
    if (name === 'MAX' && tokens[0] === 'METRICS') {
      tokens.splice(0, 3)
      const known = Object.values(values).filter(value => value !== undefined)
      return known.length > 0 ? Math.max(...known) : undefined
    }
    if (name === 'FILL') {
      const [value, filler] = [argument(), argument()]
      return value ?? filler
    }
    if (name === 'IF') {
      const [condition, then, otherwise] = [argument(), argument(), argument()]
      if (condition === undefined) return undefined
      return condition === 0 ? otherwise : then
    }
    throw new Error(`${name} is not known here: ${expression}`)
  }
  return level(0)
}
