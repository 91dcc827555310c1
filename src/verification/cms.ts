import { createHash, timingSafeEqual } from 'node:crypto'
import {
  bytesOf,
  childrenOf,
  integerOf,
  isContext,
  isIndefinite,
  isSequence,
  octetsOf,
  oidOf,
  readFirstElement,
  smallIntegerOf,
  takeContext,
  timeOf,
  type Block,
} from './asn1.js'
import { problem, remark, type Finding } from './findings.js'
import { readCertificate, type KnownCertificate } from './known-certificate.js'
import { readCrl, readOcspResponse, type RevocationStatement } from './revocation.js'
import {
  hashText,
  readHash,
  readSignatureMethod,
  verifies,
  type SignatureMethod,
} from '../certificates/signature-method.js'
import type { Material } from './evidence.js'

/** A SignedData (RFC 5652), taken apart. */
export interface SignedData {
  readonly contentType: string
  /** DER of `eContentType`, as archive timestamps want it. */
  readonly contentTypeDer: Buffer
  /** Null when the signature is detached. */
  readonly content: Buffer | null
  readonly signers: readonly SignerInfo[]
  readonly material: Material
  /** Elements of `certificates` and `crls`, each DER. */
  readonly certificateChoices: readonly Buffer[]
  readonly revocationChoices: readonly Buffer[]
}

export interface SignerInfo {
  readonly signerId: Block
  readonly hash: string | null
  readonly method: SignatureMethod | null
  /** As they were signed: a SET; null when there are none. */
  readonly signedAttributes: Buffer | null
  readonly signed: Attributes
  readonly unsigned: Attributes
  readonly signature: Buffer
  /** Version to signature, each as encoded: what archive timestamps are over. */
  readonly fields: readonly Buffer[]
}

/** Values, by OID of the attribute. */
export type Attributes = ReadonlyMap<string, readonly (readonly Block[])[]>

export const CONTENT_TYPES = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  timestampInfo: '1.2.840.113549.1.9.16.1.4',
} as const

export const ATTRIBUTES = {
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
  counterSignature: '1.2.840.113549.1.9.6',
  algorithmProtection: '1.2.840.113549.1.9.52',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
  signatureTimestamp: '1.2.840.113549.1.9.16.2.14',
  contentTimestamp: '1.2.840.113549.1.9.16.2.20',
  certificateValues: '1.2.840.113549.1.9.16.2.23',
  revocationValues: '1.2.840.113549.1.9.16.2.24',
  archiveTimestampV3: '0.4.0.1733.2.4',
  atsHashIndexV3: '0.4.0.19122.1.5',
  adobeRevocationInfo: '1.2.840.113583.1.1.8',
} as const

const OCSP_RESPONSE = '1.3.6.1.5.5.7.16.2'
const VERSIONS: readonly number[] = [1, 3, 4, 5]
const MOST_SIGNERS = 100
const MOST_CERTIFICATES = 500

/**
 * Reads a ContentInfo with SignedData. Zeros may follow, as in PDF.
 * @throws {Error} when it is none
 */
export function readSignedData(der: Uint8Array, padded = false): SignedData {
  const { block, rest } = readFirstElement(der)
  if (!padded && rest.length > 0) throw new Error('Bytes behind the CMS')
  if (rest.some((byte) => byte !== 0)) throw new Error('Bytes behind the CMS')
  const [type, wrapped] = childrenOf(block)
  if (oidOf(type) !== CONTENT_TYPES.signedData) throw new Error('Not SignedData')
  const fields = childrenOf(childrenOf(wrapped)[0])
  const [version, digestAlgorithms] = fields.splice(0, 2)
  if (!VERSIONS.includes(smallIntegerOf(version))) throw new Error('Another version of CMS')
  const announced = childrenOf(digestAlgorithms).map((each) => orNull(() => readHash(each)))
  const [contentType, content] = childrenOf(fields.shift())
  const certificates = elementsOf(takeContext(fields, 0))
  const revocations = elementsOf(takeContext(fields, 1))
  const signers = childrenOf(fields[0])
  if (signers.length > MOST_SIGNERS || certificates.length > MOST_CERTIFICATES) {
    throw new Error('Too many signers or certificates')
  }
  const infos = signers.map(readSignerInfo)
  if (!infos.every(({ hash }) => announced.includes(hash)))
    throw new Error('A hash is not announced')
  return {
    contentType: oidOf(contentType),
    contentTypeDer: bytesOf(contentType),
    content: content ? octetsOf(childrenOf(content)[0]) : null,
    signers: infos,
    certificateChoices: certificates.map(bytesOf),
    revocationChoices: revocations.map(bytesOf),
    material: {
      certificates: certificates
        .filter(isSequence)
        .map((each) => readCertificate(bytesOf(each)))
        .filter((each) => each !== null),
      statements: [
        ...revocations.map(readRevocation),
        ...infos.flatMap(({ signed, unsigned }) => attributeStatements(signed, unsigned)),
      ].filter((each) => each !== null),
    },
  }
}

function elementsOf(set: Block | undefined): Block[] {
  return set ? childrenOf(set) : []
}

/** A CRL, or an OCSP response as another format (RFC 5940). */
function readRevocation(choice: Block): RevocationStatement | null {
  if (!isContext(choice, 1)) return readCrl(bytesOf(choice))
  const [format, value] = childrenOf(choice)
  return oidOf(format) === OCSP_RESPONSE ? readOcspResponse(bytesOf(value)) : null
}

/** RevocationValues of CAdES, and what Adobe has in its place. */
function attributeStatements(signed: Attributes, unsigned: Attributes) {
  const values = [
    ...(unsigned.get(ATTRIBUTES.revocationValues) ?? []),
    ...(signed.get(ATTRIBUTES.adobeRevocationInfo) ?? []),
  ].flat()
  return values.flatMap((value) =>
    childrenOf(value).flatMap((list) => {
      const items = childrenOf(childrenOf(list)[0]).map(bytesOf)
      if (isContext(list, 0)) return items.map(readCrl)
      return isContext(list, 1) ? items.map(readOcspResponse) : []
    }),
  )
}

function readSignerInfo(info: Block): SignerInfo {
  const all = childrenOf(info)
  const fields = [...all]
  const [, signerId, digestAlgorithm] = fields.splice(0, 3)
  const signed = takeContext(fields, 0)
  const [algorithm, signature] = fields.splice(0, 2)
  const unsigned = takeContext(fields, 1)
  if (signerId === undefined || fields.length > 0) throw new Error('Not a SignerInfo')
  const hash = orNull(() => readHash(digestAlgorithm))
  return {
    signerId,
    hash,
    method: orNull(() => readSignatureMethod(algorithm, hash)),
    signedAttributes: signed ? asSet(signed) : null,
    signed: readAttributes(signed),
    unsigned: readAttributes(unsigned),
    signature: octetsOf(signature),
    fields: all.filter((each) => each !== unsigned).map(bytesOf),
  }
}

function orNull<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}

/** Signed is their DER as an explicit SET OF. @see RFC 5652, 5.4 */
function asSet(attributes: Block): Buffer {
  if (isIndefinite(attributes)) throw new Error('Signed attributes have to be DER')
  const bytes = Buffer.from(bytesOf(attributes))
  bytes[0] = 0x31
  return bytes
}

function readAttributes(set: Block | undefined): Attributes {
  const attributes = new Map<string, Block[][]>()
  for (const attribute of elementsOf(set)) {
    const [type, values] = childrenOf(attribute)
    const name = oidOf(type)
    attributes.set(name, [...(attributes.get(name) ?? []), childrenOf(values)])
  }
  return attributes
}

/** The one value of an attribute that may be there once; undefined also when it is there twice. */
export function onlyValue(attributes: Attributes, type: string): Block | undefined {
  const [values, more] = attributes.get(type) ?? []
  return more === undefined && values?.length === 1 ? values[0] : undefined
}

/** The digest of what was signed, by name of the hash; null when nobody has it. */
export type DigestOf = (hash: string) => Buffer | null

export function digestOfBytes(bytes: Uint8Array): DigestOf {
  return (hash) => createHash(hash).update(bytes).digest()
}

export interface CheckedSigner {
  readonly signer: KnownCertificate | null
  /** Whether the signing-certificate attribute is there, and names the signer: what makes it AdES. */
  readonly namesSigner: boolean
  readonly signingTime: Date | null
  readonly findings: readonly Finding[]
}

/** Checks one signer against the content, cryptographically. @param content of what is attached */
export function checkSigner(
  info: SignerInfo,
  data: Pick<SignedData, 'contentType'>,
  certificates: readonly KnownCertificate[],
  { digestOf, content }: { readonly digestOf: DigestOf; readonly content: Buffer | null },
): CheckedSigner {
  const { hash, method, signed } = info
  const findings: Finding[] = []
  const candidates = certificates.filter((each) => isSigner(info.signerId, each))
  const named = readSigningCertificate(info)
  const signer =
    candidates.find((each) => named !== null && matches(named, each)) ?? candidates[0] ?? null
  const namesSigner = named !== null && signer !== null && matches(named, signer)
  if (named !== null && signer !== null && !namesSigner) {
    findings.push(problem('SIG_CONSTRAINTS_FAILURE', 'other-certificate-named', signer.subject))
  }
  if (hash === null || method === null) {
    findings.push(problem('FORMAT_FAILURE', 'unknown-algorithm'))
    return { signer, namesSigner, signingTime: null, findings }
  }
  findings.push(...contentProblems(info, data, hash, digestOf))
  const message = info.signedAttributes ?? content
  if (signer && message === null) {
    findings.push(problem('SIGNED_DATA_NOT_FOUND', 'digest-not-enough'))
  } else if (signer && message && !verifies(method, signer.key, message, info.signature)) {
    findings.push(problem('SIG_CRYPTO_FAILURE', 'signature-broken'))
  }
  const time = onlyValue(signed, ATTRIBUTES.signingTime)
  return { signer, namesSigner, signingTime: time ? orNull(() => timeOf(time)) : null, findings }
}

function contentProblems(
  { signedAttributes, signed }: SignerInfo,
  { contentType }: Pick<SignedData, 'contentType'>,
  hash: string,
  digestOf: DigestOf,
): Finding[] {
  const digest = digestOf(hash)
  if (digest === null) return [problem('SIGNED_DATA_NOT_FOUND', 'content-missing', hashText(hash))]
  if (signedAttributes === null) {
    // What is signed could else be attributes of another signature in disguise.
    return contentType === CONTENT_TYPES.data
      ? [remark('no-signed-attributes')]
      : [problem('FORMAT_FAILURE', 'attributes-missing')]
  }
  const type = onlyValue(signed, ATTRIBUTES.contentType)
  const said = onlyValue(signed, ATTRIBUTES.messageDigest)
  if (!type || !said || orNull(() => oidOf(type)) !== contentType) {
    return [problem('FORMAT_FAILURE', 'attributes-missing')]
  }
  return isSame(octetsOf(said), digest) ? [] : [problem('HASH_FAILURE', 'content-changed')]
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}

/** By issuer and serial number, or by key identifier. */
function isSigner(id: Block, certificate: KnownCertificate): boolean {
  if (isContext(id, 0)) {
    const { extensions } = certificate
    const extension = extensions.find(({ oid }) => oid === '2.5.29.14')
    return (
      extension !== undefined &&
      octetsOf(readFirstElement(extension.value).block).equals(octetsOf(id))
    )
  }
  const [issuer, serial] = childrenOf(id)
  return (
    bytesOf(issuer).equals(certificate.issuerName) &&
    serialOf(integerOf(serial)) === serialOf(Buffer.from(certificate.serialNumber, 'hex'))
  )
}

function serialOf(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(00)+(?=.)/, '')
}

interface NamedCertificate {
  readonly hash: string
  readonly digest: Buffer
  /** Null when the attribute does not name it. */
  readonly serialNumber: string | null
}

/** The first ESSCertID or ESSCertIDv2: the signer's. @see RFC 5035 */
function readSigningCertificate({ signed }: SignerInfo): NamedCertificate | null {
  const v2 = onlyValue(signed, ATTRIBUTES.signingCertificateV2)
  const v1 = onlyValue(signed, ATTRIBUTES.signingCertificate)
  const value = v2 ?? v1
  if (value === undefined) return null
  return orNull(() => {
    const fields = childrenOf(childrenOf(childrenOf(value)[0])[0])
    const algorithm = isSequence(fields[0]) && v2 ? fields.shift() : undefined
    const [digest, issuerSerial] = fields
    const hash = algorithm ? readHash(algorithm) : v2 ? 'sha256' : 'sha1'
    const serial = issuerSerial ? childrenOf(issuerSerial)[1] : undefined
    const serialNumber = serial ? serialOf(integerOf(serial)) : null
    return { hash, digest: octetsOf(digest), serialNumber }
  })
}

function matches(named: NamedCertificate, { der, serialNumber }: KnownCertificate): boolean {
  const digest = createHash(named.hash).update(der).digest()
  const serial = serialOf(Buffer.from(serialNumber, 'hex'))
  return isSame(named.digest, digest) && (named.serialNumber ?? serial) === serial
}

/** DER of each value of an unsigned attribute, whole. */
export function unsignedValues({ unsigned }: SignerInfo, type: string): Buffer[] {
  return (unsigned.get(type) ?? []).flat().map(bytesOf)
}
