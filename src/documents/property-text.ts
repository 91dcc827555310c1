const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** Control characters apart from white space, and halves of characters. */
export const UNPRINTABLE = /[^\P{Cc}\t\n\r]|\p{Cs}/u

/** The value of a property as text: clients send Base64 of a text, or the text itself (CSC API v2, 11.11). */
export function propertyText(value: string): string {
  if (value === '' || !BASE64.test(value)) return value
  const bytes = Buffer.from(value, 'base64')
  const text = bytes.toString()
  const isText = Buffer.from(text).equals(bytes) && !UNPRINTABLE.test(text)
  return isText ? text : value
}
