import type { AsnType } from 'asn1js'

const MARK = 0x7f

/**
 * A DER structure in which some contents differ from one to the next, and nothing in length: encoded once,
 * then filled in. A general encoder takes many times as long as the signature inside.
 */
export class Form {
  readonly #blank: Buffer
  readonly #places: readonly { readonly at: number; readonly length: number }[]

  /**
   * @param lengths of the contents that differ
   * @param build the structure around contents of these lengths, each of them in it once, as it is
   */
  constructor(lengths: readonly number[], build: (contents: readonly Buffer[]) => AsnType) {
    const encode = (marked: number) => {
      const contents = lengths.map((length, index) => {
        return Buffer.alloc(length, index === marked ? MARK : 0)
      })
      return Buffer.from(build(contents).toBER())
    }
    this.#blank = encode(-1)
    this.#places = lengths.map((length, index) => {
      const marked = encode(index)
      const at = marked.findIndex((byte, position) => byte !== this.#blank[position])
      const filled = marked.subarray(at, at + length).every((byte) => byte === MARK)
      if (at < 0 || !filled) throw new Error('A form has no place for one of its contents')
      return { at, length }
    })
  }

  fill(contents: readonly Buffer[]): Buffer {
    const filled = Buffer.from(this.#blank)
    this.#places.forEach(({ at, length }, index) => {
      const content = contents[index]
      if (content?.length !== length) throw new Error('A content does not fit the form')
      content.copy(filled, at)
    })
    return filled
  }
}
