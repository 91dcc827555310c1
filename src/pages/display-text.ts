/** Directional controls, zero-width and other characters that leave no mark on the page. */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2800]/gu
const CONTROL = /\p{Cc}/gu
const WHITE_SPACE = /\s+/gu
/** Stacks of combining marks that would paint over the lines around them. */
const STACKED_MARKS = /(\p{M}{4})\p{M}+/gu

/**
 * Text of a client as the signer may see it: one line, at most `max` characters, and no character
 * that hides, reorders or overprints others. Escaping for HTML is left to the renderer.
 */
export function displayText(text: string, max: number): string {
  const line = text
    .normalize('NFC')
    .replace(CONTROL, ' ')
    .replace(INVISIBLE, '')
    .replace(STACKED_MARKS, '$1')
    .replace(WHITE_SPACE, ' ')
    .trim()
  const characters = [...line]
  if (characters.length <= max) return line
  return `${characters
    .slice(0, max - 1)
    .join('')
    .trimEnd()}…`
}
