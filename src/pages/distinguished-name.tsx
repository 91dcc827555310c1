import { readableNameText } from '../certificates/distinguished-name.js'
import { displayText } from './display-text.js'

/** RFC 4514 text; lines may break after each part of the name. */
export function DistinguishedName({ text }: { text: string }) {
  const parts = displayText(readableNameText(text), 500).split(/(?<=[^\\],)/)
  return (
    <bdi>
      {parts.map((part) => (
        <>
          {part}
          <wbr />
        </>
      ))}
    </bdi>
  )
}
