import * as asn1js from 'asn1js'
import { LRUCache } from 'lru-cache'
import { Accuracy, AlgorithmIdentifier, Certificate, IssuerAndSerialNumber } from 'pkijs'
import { HASH_ALGORITHMS, type HashAlgorithm, type SignatureAlgorithm } from '../keys/algorithms.js'
import { RandomOctets } from '../config/random-octets.js'
import { digestOf } from '../keys/digest.js'
import { algorithmIdentifier } from '../certificates/algorithm-identifier.js'
import { parseCertificate } from '../certificates/certificate.js'
import { Form } from './form.js'

export const ID_SIGNED_DATA = '1.2.840.113549.1.7.2'
export const ID_CT_TST_INFO = '1.2.840.113549.1.9.16.1.4'
export const ATTRIBUTE_OIDS = {
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  /** id-aa-signingCertificate. @see RFC 2634, 5.4 */
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  /** @see RFC 5816, 2.2 */
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
} as const

/** Universal tags of what forms are filled in with. */
const TAGS = { integer: 2, octetString: 4, generalizedTime: 24 } as const

const SERIAL_BYTES = 16
const FORMS_KEPT = 512

/** What a `TSTInfo` says besides what is the same in all of one authority. */
export interface TimestampStatement {
  readonly hash: HashAlgorithm
  readonly digest: Buffer
  /** Whether the algorithm is written with NULL parameters, as the request had it. */
  readonly withNull: boolean
  readonly policy: string
  readonly time: Date
  /** Content octets of an INTEGER. */
  readonly nonce: Buffer | null
}

/** Writes the `TSTInfo`s of one authority. @see RFC 3161, 2.4.2 */
export class TstInfoEncoder {
  readonly #accuracy: asn1js.AsnType
  readonly #forms = new LRUCache<string, Form>({ max: FORMS_KEPT })

  constructor({ accuracyMilliseconds }: { readonly accuracyMilliseconds: number }) {
    const [seconds, millis] = [Math.floor(accuracyMilliseconds / 1000), accuracyMilliseconds % 1000]
    this.#accuracy = new Accuracy({
      ...(seconds > 0 ? { seconds } : {}),
      ...(millis > 0 ? { millis } : {}),
    }).toSchema()
  }

  /** Each with a serial number of its own, random, so that replicas need not know of each other. */
  encode({ hash, digest, withNull, policy, time, nonce }: TimestampStatement): Buffer {
    const genTime = generalizedTime(time)
    const contents = [digest, randomSerial(), genTime, ...(nonce ? [nonce] : [])]
    const lengths = contents.map(({ length }) => length)
    const name = [hash.name, withNull, policy, ...lengths].join(' ')
    let form = this.#forms.get(name)
    if (!form) {
      form = new Form(lengths, (filled) => this.#tstInfo(filled, { hash, withNull, policy }))
      this.#forms.set(name, form)
    }
    return form.fill(contents)
  }

  #tstInfo(
    [digest, serial, genTime, nonce]: readonly Buffer[],
    facts: Pick<TimestampStatement, 'hash' | 'withNull' | 'policy'>,
  ): asn1js.AsnType {
    const { hash, withNull, policy } = facts
    const hashAlgorithm = new AlgorithmIdentifier({
      algorithmId: hash.oid,
      ...(withNull ? { algorithmParams: new asn1js.Null() } : {}),
    })
    return sequence(
      new asn1js.Integer({ value: 1 }),
      new asn1js.ObjectIdentifier({ value: policy }),
      sequence(hashAlgorithm.toSchema(), primitive('octetString', digest)),
      primitive('integer', serial),
      primitive('generalizedTime', genTime),
      this.#accuracy,
      // `ordering` is false, its default: replicas do not wait for each other.
      ...(nonce ? [primitive('integer', nonce)] : []),
    )
  }
}

const serials = new RandomOctets(SERIAL_BYTES)

/** 126 random bits: the first is neither 0 nor makes the number negative. */
function randomSerial(): Buffer {
  const serial = serials.next()
  serial.writeUInt8((serial.readUInt8(0) & 0x7f) | 0x40, 0)
  return serial
}

/** With milliseconds, whose trailing zeros have no place in DER. */
function generalizedTime(time: Date): Buffer {
  const digits = time.toISOString().replace(/[-:T]/g, '')
  return Buffer.from(digits.replace(/\.?0*Z$/, 'Z'), 'latin1')
}

/** Who signs, as their certificate says it. */
export interface TokenSigner {
  /** DER. */
  readonly certificate: Buffer
  /** The certificates above it, issuer first, DER. */
  readonly chain: readonly Buffer[]
  readonly algorithm: SignatureAlgorithm
}

/** Writes the CMS around the `TSTInfo`s of one signer. @see RFC 5652, 5 and RFC 5816 */
export class TokenEncoder {
  readonly #signer: TokenSigner
  readonly #attributes: Form
  readonly #sid: asn1js.AsnType
  readonly #certificates: readonly asn1js.AsnType[]
  readonly #forms = new LRUCache<string, Form>({ max: FORMS_KEPT })

  constructor(signer: TokenSigner) {
    this.#signer = signer
    const certificate = new Certificate({ schema: asn1js.fromBER(signer.certificate).result })
    const { issuer, serialNumber } = certificate
    this.#sid = new IssuerAndSerialNumber({ issuer, serialNumber }).toSchema()
    this.#attributes = new Form(
      [signer.algorithm.hash.bytes],
      ([digest]) => new asn1js.Set({ value: signedAttributes(signer.certificate, digest) }),
    )
    // DER has a SET OF in order. Roots are nothing that anybody would believe from here.
    this.#certificates = [signer.certificate, ...signer.chain.filter((each) => !isSelfIssued(each))]
      .toSorted((a, b) => Buffer.compare(a, b))
      .map((der) => asn1js.fromBER(der).result)
  }

  /** What the key signs for a `TSTInfo`: the attributes as SET OF, DER. */
  signedAttributes(tstInfo: Buffer): Buffer {
    const { hash } = this.#signer.algorithm
    return this.#attributes.fill([digestOf(hash, tstInfo)])
  }

  /** The `TimeStampToken` over a `TSTInfo`. */
  encode(parts: {
    readonly tstInfo: Buffer
    /** Over what `signedAttributes` gives. */
    readonly signature: Buffer
    readonly withCertificates: boolean
  }): Buffer {
    const { tstInfo, signature, withCertificates } = parts
    const { hash } = this.#signer.algorithm
    const contents = [tstInfo, digestOf(hash, tstInfo), signature]
    const lengths = contents.map(({ length }) => length)
    const name = [withCertificates, ...lengths].join(' ')
    let form = this.#forms.get(name)
    if (!form) {
      form = new Form(lengths, (filled) => this.#token(filled, withCertificates))
      this.#forms.set(name, form)
    }
    return form.fill(contents)
  }

  #token([tstInfo, digest, signature]: readonly Buffer[], withCertificates: boolean) {
    const { certificate, algorithm } = this.#signer
    const digestAlgorithm = new AlgorithmIdentifier({ algorithmId: algorithm.hash.oid }).toSchema()
    const signerInfo = sequence(
      new asn1js.Integer({ value: 1 }),
      this.#sid,
      digestAlgorithm,
      // Signed as SET OF, which here is behind an implicit tag.
      tagged(0, signedAttributes(certificate, digest)),
      asn1js.fromBER(algorithmIdentifier(algorithm)).result,
      primitive('octetString', signature),
    )
    const signedData = sequence(
      new asn1js.Integer({ value: 3 }),
      new asn1js.Set({ value: [digestAlgorithm] }),
      sequence(
        new asn1js.ObjectIdentifier({ value: ID_CT_TST_INFO }),
        tagged(0, [primitive('octetString', tstInfo)]),
      ),
      ...(withCertificates ? [tagged(0, this.#certificates)] : []),
      new asn1js.Set({ value: [signerInfo] }),
    )
    return sequence(new asn1js.ObjectIdentifier({ value: ID_SIGNED_DATA }), tagged(0, [signedData]))
  }
}

/** Content type, digest and certificate of the signer, in the order of DER. */
function signedAttributes(certificate: Buffer, digest: Buffer | undefined): asn1js.AsnType[] {
  const certHash = digestOf(HASH_ALGORITHMS.sha256, certificate)
  // The hash algorithm of an ESSCertIDv2 is SHA-256 by default, and a default is not written.
  const essCertId = sequence(primitive('octetString', certHash))
  return [
    attribute('contentType', new asn1js.ObjectIdentifier({ value: ID_CT_TST_INFO })),
    attribute('messageDigest', primitive('octetString', digest)),
    attribute('signingCertificateV2', sequence(sequence(essCertId))),
  ].toSorted((a, b) => Buffer.compare(Buffer.from(a.toBER()), Buffer.from(b.toBER())))
}

function attribute(name: keyof typeof ATTRIBUTE_OIDS, value: asn1js.AsnType): asn1js.AsnType {
  const type = new asn1js.ObjectIdentifier({ value: ATTRIBUTE_OIDS[name] })
  return sequence(type, new asn1js.Set({ value: [value] }))
}

function isSelfIssued(der: Buffer): boolean {
  const { subjectName, issuerName } = parseCertificate(der)
  return subjectName.equals(issuerName)
}

function sequence(...value: asn1js.AsnType[]): asn1js.Sequence {
  return new asn1js.Sequence({ value })
}

function tagged(tagNumber: number, value: readonly asn1js.AsnType[]): asn1js.Constructed {
  return new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber }, value: [...value] })
}

function primitive(name: keyof typeof TAGS, valueHex: Buffer = Buffer.alloc(0)): asn1js.Primitive {
  const idBlock = { tagClass: 1, tagNumber: TAGS[name] }
  return new asn1js.Primitive({ idBlock, valueHex: new Uint8Array(valueHex) })
}
