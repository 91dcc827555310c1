import { randomFillSync } from 'node:crypto'

const DRAWN_TOGETHER = 256

/**
 * Random octets in pieces of one length, each given out once. They are drawn for many pieces at a time:
 * asking the generator takes longer than what the piece is for.
 */
export class RandomOctets {
  readonly #length: number
  #drawn = Buffer.alloc(0)
  #next = 0

  constructor(length: number) {
    this.#length = length
  }

  /** The caller may write to it. */
  next(): Buffer {
    if (this.#next === this.#drawn.length) {
      // New memory each time: somebody may still hold the last pieces.
      this.#drawn = randomFillSync(Buffer.alloc(this.#length * DRAWN_TOGETHER))
      this.#next = 0
    }
    this.#next += this.#length
    return this.#drawn.subarray(this.#next - this.#length, this.#next)
  }
}
