/**
 * Characters that leave no mark, or reorder, hide or overprint others: controls (but for line ends and
 * tabs), directional controls, zero-width ones, what has no meaning; and more combining marks than four.
 */
const UNSEEN =
  /(?!\n|\t|\uFE0E|\uFE0F)[\p{Cc}\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029\u2800]|(?<=\p{M}{4})\p{M}/gu

/**
 * Text of somebody else, whole: each character that a reader would not see stands there by its number.
 * Escaping for HTML is left to the renderer.
 */
export function VisibleText({ text }: { text: string }) {
  const lines = text.replaceAll('\r\n', '\n')
  const seen = lines.split(UNSEEN)
  const unseen = lines.match(UNSEEN) ?? []
  return (
    <>
      {seen.map((part, index) => {
        const character = unseen[index]
        return (
          <>
            {part}
            {character !== undefined && <span class="unseen">{codePoint(character)}</span>}
          </>
        )
      })}
    </>
  )
}

/** “U+202E” */
function codePoint(character: string): string {
  const number = character.codePointAt(0) ?? 0
  return `U+${number.toString(16).toUpperCase().padStart(4, '0')}`
}
