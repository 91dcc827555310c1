import { createHash } from 'node:crypto'
import { fromBER, ObjectIdentifier, OctetString, Sequence, type AsnType } from 'asn1js'
import {
  Certificate,
  ContentInfo,
  ExtKeyUsage,
  id_ContentType_SignedData,
  IssuerAndSerialNumber,
  SignedData,
  TSTInfo,
} from 'pkijs'
import type { Document } from './algorithms.js'
import { NotMet } from './outcome.js'

const ID_TST_INFO = '1.2.840.113549.1.9.16.1.4'
const SIGNING_CERTIFICATE = '1.2.840.113549.1.9.16.2.12'
const SIGNING_CERTIFICATE_V2 = '1.2.840.113549.1.9.16.2.47'
const EXT_KEY_USAGE = '2.5.29.37'
/** Hashes of ESSCertIDs, by OID; the second attribute's default has none. */
const HASHES: Readonly<Record<string, string>> = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}

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

  /** As node:crypto calls it. @throws {NotMet} when it is none of the SHA-2 family */
  get hashName(): string {
    const name = HASHES[this.hashAlgorithm]
    if (name === undefined) throw new NotMet(`a timestamp is by hash ${this.hashAlgorithm}`)
    return name
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

  /** Octets of the nonce as they stand there, hexadecimal; null when there is none. */
  get nonceOctets(): string | null {
    const value = this.#info.nonce?.valueBlock.valueHexView
    return value ? Buffer.from(value).toString('hex') : null
  }

  get version(): number {
    return this.#info.version
  }

  get policy(): string {
    return this.#info.policy
  }

  get serialNumber(): string {
    return Buffer.from(this.#info.serialNumber.valueBlock.valueHexView).toString('hex')
  }

  /** In seconds; null when it says nothing. */
  get accuracy(): number | null {
    const { accuracy } = this.#info
    if (!accuracy) return null
    const { seconds = 0, millis = 0, micros = 0 } = accuracy
    return seconds + millis / 1e3 + micros / 1e6
  }

  get signatures(): number {
    return this.#signed.signerInfos.length
  }

  /** Of the SignedData. */
  get syntaxVersion(): number {
    return this.#signed.version
  }

  get digestAlgorithms(): string[] {
    return this.#signed.digestAlgorithms.map(({ algorithmId }) => algorithmId)
  }

  /** The certificate that the signature names. @throws {NotMet} when it is not inside */
  get signer(): Certificate {
    const sid: unknown = this.#signed.signerInfos[0]?.sid
    if (!(sid instanceof IssuerAndSerialNumber)) throw new NotMet('its signer has no serial number')
    for (const each of this.#signed.certificates ?? []) {
      const fits = each instanceof Certificate && each.serialNumber.isEqual(sid.serialNumber)
      if (fits && each.issuer.isEqual(sid.issuer)) return each
    }
    throw new NotMet('the certificate of its signer is not inside')
  }

  /** Extended key usages of the signer, and whether they are critical. */
  get signerUse(): { readonly oids: readonly string[]; readonly critical: boolean } {
    const found = this.signer.extensions?.find(({ extnID }) => extnID === EXT_KEY_USAGE)
    if (!found) return { oids: [], critical: false }
    const value = fromBER(found.extnValue.getValue()).result
    return { oids: new ExtKeyUsage({ schema: value }).keyPurposes, critical: found.critical }
  }

  /** @throws {NotMet} unless the signed attributes name the signer's certificate (RFC 5816) */
  rejectOtherCertificate(): void {
    const attributes = this.#signed.signerInfos[0]?.signedAttrs?.attributes ?? []
    const named = attributes.find(({ type }) => {
      return type === SIGNING_CERTIFICATE || type === SIGNING_CERTIFICATE_V2
    })
    if (!named) throw new NotMet('no signed attribute names the certificate of the signer')
    const [value] = named.values as AsnType[]
    const [first] = childrenOf(childrenOf(value)[0])
    const fields = childrenOf(first)
    const algorithm = fields[0] instanceof Sequence ? fields.shift() : undefined
    const [type] = childrenOf(algorithm)
    const oid = type instanceof ObjectIdentifier ? type.valueBlock.toString() : ''
    const byDefault = named.type === SIGNING_CERTIFICATE ? 'sha1' : 'sha256'
    const hash = algorithm ? HASHES[oid] : byDefault
    if (hash === undefined) throw new NotMet(`the certificate is named by hash ${oid}`)
    const own = createHash(hash).update(Buffer.from(this.signer.toSchema().toBER())).digest()
    const [certHash] = fields
    const octets = certHash instanceof OctetString ? Buffer.from(certHash.getValue()) : null
    if (!octets?.equals(own)) throw new NotMet('another certificate is named')
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

function childrenOf(block: AsnType | undefined): AsnType[] {
  return block instanceof Sequence ? [...block.valueBlock.value] : []
}

function readAs<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new NotMet(`it is no ${what}: ${error instanceof Error ? error.message : ''}`)
  }
}
