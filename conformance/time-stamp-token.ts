import { fromBER, OctetString } from 'asn1js'
import { ContentInfo, id_ContentType_SignedData, SignedData, TSTInfo } from 'pkijs'
import type { Document } from './algorithms.js'
import { NotMet } from './outcome.js'

const ID_TST_INFO = '1.2.840.113549.1.9.16.1.4'

/** A time-stamp token (RFC 3161 §2.4.2), read. */
export class TimeStampToken {
  readonly #signed: SignedData
  readonly #info: TSTInfo

  private constructor(signed: SignedData, info: TSTInfo) {
    this.#signed = signed
    this.#info = info
  }

  /** @throws {NotMet} when it is something else */
  static read(der: Buffer): TimeStampToken {
    const outer = readAs('ContentInfo', () => {
      const { offset, result } = fromBER(der)
      if (offset !== der.length) throw new Error('not DER, or more than that')
      return new ContentInfo({ schema: result })
    })
    if (outer.contentType !== id_ContentType_SignedData) throw new NotMet('it is no SignedData')
    const signed = readAs('SignedData', () => new SignedData({ schema: outer.content as unknown }))
    const { eContentType, eContent } = signed.encapContentInfo
    if (eContentType !== ID_TST_INFO || !(eContent instanceof OctetString)) {
      throw new NotMet('what is signed is no TSTInfo')
    }
    return new TimeStampToken(
      signed,
      readAs('TSTInfo', () => TSTInfo.fromBER(eContent.getValue())),
    )
  }

  get hashAlgorithm(): string {
    return this.#info.messageImprint.hashAlgorithm.algorithmId
  }

  get digest(): Buffer {
    return Buffer.from(this.#info.messageImprint.hashedMessage.getValue())
  }

  get time(): Date {
    return this.#info.genTime
  }

  /** As hexadecimal digits without zeros before them; null when there is none. */
  get nonce(): string | null {
    const value = this.#info.nonce?.valueBlock.valueHexView
    return value ? Buffer.from(value).toString('hex').replace(/^0+/, '') : null
  }

  /** @throws {NotMet} unless the signature over the document's time is the one of its certificate */
  async verify({ bytes }: Document): Promise<void> {
    const data = new Uint8Array(bytes).buffer
    const good = await this.#signed
      .verify({ signer: 0, data, checkChain: false })
      .catch((error: unknown) => {
        throw new NotMet(`the token cannot be verified: ${String(error)}`)
      })
    if (!good) throw new NotMet('the signature of the token does not verify')
  }
}

function readAs<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new NotMet(`it is no ${what}: ${error instanceof Error ? error.message : ''}`)
  }
}
