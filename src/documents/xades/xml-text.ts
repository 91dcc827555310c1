declare const written: unique symbol

/** A piece of well-formed XML. Only the functions here and a check make one. */
export type XmlText = string & { readonly [written]: true }

export type XmlAttributes = Readonly<Record<string, string | null>>

/** @param attributes those that are null are left out */
export function element(
  name: string,
  attributes: XmlAttributes = {},
  ...content: readonly XmlText[]
): XmlText {
  const present = Object.entries(attributes).flatMap(([attribute, value]) =>
    value === null ? [] : [` ${attribute}="${escaped(value)}"`],
  )
  const start = `<${name}${present.join('')}`
  const inside = content.join('')
  return (inside === '' ? `${start}/>` : `${start}>${inside}</${name}>`) as XmlText
}

export function text(value: string): XmlText {
  return escaped(value) as XmlText
}

/** xsd:base64Binary, in one line. */
export function base64(bytes: Buffer): XmlText {
  return bytes.toString('base64') as XmlText
}

/** For text that a parser has found to be one well-formed element. */
export function parsedElement(source: string): XmlText {
  return source as XmlText
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#x9;',
  '\n': '&#xA;',
  '\r': '&#xD;',
}

function escaped(value: string): string {
  return value.replace(/[&<>"\t\n\r]/g, (character) => ESCAPES[character] ?? character)
}
