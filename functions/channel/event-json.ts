/** Events as JSON that every queue takes and every program reads, whatever letters a mail holds. */

/**
 * U+FFFE and U+FFFF, which SQS refuses in a message (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html),
 * are escaped: a reader of JSON gets the very letters. Halves of surrogate pairs are no text in any encoding
 * (RFC 8259 8.2) and become U+FFFD. What else SQS refuses, JSON escapes by itself.
 */
export function eventJson(value: unknown): string {
  const json = JSON.stringify(value, (_name, part: unknown) =>
    typeof part === 'string' ? part.toWellFormed() : part,
  )
  return json.replaceAll('\ufffe', '\\ufffe').replaceAll('\uffff', '\\uffff')
}
