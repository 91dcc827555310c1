import { randomInt } from 'node:crypto'

/** Crockford's: no letter that is taken for a digit. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const LENGTH = 16
const TAKEN_FOR: Readonly<Record<string, string>> = { O: '0', I: '1', L: '1' }

/** A code that is written down and typed in later: 80 random bits, as XXXX-XXXX-XXXX-XXXX. */
export function newLongCode(): string {
  const characters = Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)])
  return characters.join('').replaceAll(/.{4}(?=.)/g, '$&-')
}

/** The characters that count, however it was typed; null when it cannot be one. */
export function readLongCode(text: string): string | null {
  const typed = text.slice(0, 100).toUpperCase().replaceAll(/[\s-]/g, '')
  const read = typed.replaceAll(/[OIL]/g, (letter) => TAKEN_FOR[letter] ?? letter)
  return /^[0-9A-HJKMNP-TV-Z]{16}$/.test(read) ? read : null
}
