/** Both alphabets, with or without padding, percent-encoded or not: clients differ (docs/interop.md). */
const ANY_ALPHABET = /^[A-Za-z0-9+/_-]*={0,2}$/

/**
 * Decodes a digest as sent by any known client, or returns null. Strict in what matters: no foreign
 * characters, no impossible length, no stray bits after the last byte.
 */
export function decodeBase64(text: string): Buffer | null {
  const plain = /%(2B|2F|3D)/i.test(text) ? percentDecoded(text) : text
  if (!ANY_ALPHABET.test(plain)) return null
  const digits = plain.replace(/=+$/, '')
  const padding = plain.length - digits.length
  if (digits.length % 4 === 1 || (padding > 0 && plain.length % 4 !== 0)) return null
  const standard = digits.replaceAll('-', '+').replaceAll('_', '/')
  const bytes = Buffer.from(standard, 'base64')
  return bytes.toString('base64').replace(/=+$/, '') === standard ? bytes : null
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return '%'
  }
}
