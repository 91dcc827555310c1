import { createHash, timingSafeEqual } from 'node:crypto'
import {
  bytesOf,
  childrenOf,
  integerOf,
  isContext,
  isIndefinite,
  isOctets,
  isSequence,
  isSet,
  octetsOf,
  oidOf,
  readElement,
  readFirstElement,
  smallIntegerOf,
  takeContext,
  timeOf,
  type Block,
} from './asn1.js'
import { flaw, type Flaw } from './flaws.js'
import {
  EXTENSIONS,
  extensionValue,
  readCertificates,
  serialOf,
  serialText,
  type KnownCertificate,
} from './known-certificate.js'
import type { Material } from './material.js'
import { readStatements } from './revocation-records.js'
import {
  hashText,
  readHash,
  readSignatureMethod,
  verifies,
  type SignatureMethod,
} from './signature-method.js'

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
  /** EncapsulatedContentInfo, certificates and crls as they stand there, those that do. */
  readonly fields: readonly Buffer[]
}

export interface SignerInfo {
  readonly signerId: Block
  readonly hash: string | null
  readonly method: SignatureMethod | null
  /** As they were signed: a SET; null when there are none. */
  readonly signedAttributes: Buffer | null
  readonly signed: Attributes
  readonly unsigned: Attributes
  /** Each unsigned attribute, whole, in the order in which they stand there. */
  readonly unsignedEncodings: readonly Buffer[]
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
  archiveTimestampV2: '1.2.840.113549.1.9.16.2.48',
  archiveTimestampV3: '0.4.0.1733.2.4',
  signaturePolicy: '1.2.840.113549.1.9.16.2.15',
  signaturePolicyStore: '0.4.0.19122.1.3',
  signerAttributes: '1.2.840.113549.1.9.16.2.18',
  signerAttributesV2: '0.4.0.19122.1.1',
  atsHashIndex: '0.4.0.1733.2.5',
  atsHashIndexV2: '0.4.0.19122.1.4',
  atsHashIndexV3: '0.4.0.19122.1.5',
  adobeRevocationInfo: '1.2.840.113583.1.1.8',
} as const

/** Attributes of which there is one, with one value. */
const ONCE = [
  ...[ATTRIBUTES.contentType, ATTRIBUTES.messageDigest, ATTRIBUTES.signingTime],
  ...[ATTRIBUTES.signingCertificate, ATTRIBUTES.signingCertificateV2],
  ATTRIBUTES.algorithmProtection,
] as const

const OCSP_RESPONSE = '1.3.6.1.5.5.7.16.2'
const VERSIONS: readonly number[] = [1, 3, 4, 5]
const SIGNER_VERSIONS: readonly number[] = [1, 3]
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
  const [type, wrapped, ...behind] = childrenOf(block)
  if (oidOf(type) !== CONTENT_TYPES.signedData) throw new Error('Not SignedData')
  const [signedData, ...others] = childrenOf(wrapped)
  demand(isSequence(block) && isContext(wrapped, 0) && isSequence(signedData), 'SignedData')
  demand(behind.length === 0 && others.length === 0, 'SignedData')
  const fields = childrenOf(signedData)
  const [version, digestAlgorithms] = fields.splice(0, 2)
  const areAlgorithms = isSet(digestAlgorithms) && childrenOf(digestAlgorithms).every(isSequence)
  demand(areAlgorithms, 'digestAlgorithms')
  if (!VERSIONS.includes(smallIntegerOf(version))) throw new Error('Another version of CMS')
  const announced = childrenOf(digestAlgorithms).map((each) => orNull(() => readHash(each)))
  const encapsulated = fields.shift()
  const [contentType, content] = childrenOf(encapsulated)
  demand(isSequence(encapsulated) && (!content || isContext(content, 0)), 'encapContentInfo')
  const sets = [takeContext(fields, 0), takeContext(fields, 1)]
  const [certificates = [], revocations = []] = sets.map(elementsOf)
  demand(fields.length === 1 && isSet(fields[0]), 'signerInfos')
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
    content: content ? contentOf(content) : null,
    signers: infos,
    certificateChoices: certificates.map(bytesOf),
    revocationChoices: revocations.map(bytesOf),
    fields: [encapsulated, ...sets].flatMap((each) => (each ? [bytesOf(each)] : [])),
    material: {
      certificates: readCertificates(certificates.filter(isSequence).map(bytesOf)),
      statements: statementsIn(revocations, infos),
    },
  }
}

/** What is built otherwise would mean one thing to us and another to the next. @throws {Error} */
function demand(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`Not as RFC 5652 has it: ${what}`)
}

function contentOf(wrapped: Block): Buffer {
  const [content, ...others] = childrenOf(wrapped)
  demand(isOctets(content) && others.length === 0, 'eContent')
  return octetsOf(content)
}

function elementsOf(set: Block | undefined): Block[] {
  return set ? childrenOf(set) : []
}

/** CRLs, and OCSP responses as another format (RFC 5940); then those in attributes. */
function statementsIn(choices: readonly Block[], signers: readonly SignerInfo[]) {
  const others = choices.filter((each) => isContext(each, 1)).map(childrenOf)
  const responses = others.filter(([format]) => oidOf(format) === OCSP_RESPONSE)
  return [
    ...readStatements(choices.filter(isSequence).map(bytesOf), []),
    ...readStatements(
      [],
      responses.map(([, value]) => bytesOf(value)),
    ),
    ...signers.flatMap(({ signed, unsigned }) => attributeStatements(signed, unsigned)),
  ]
}

/** RevocationValues of CAdES, and what Adobe has in its place. */
function attributeStatements(signed: Attributes, unsigned: Attributes) {
  const values = [
    ...(unsigned.get(ATTRIBUTES.revocationValues) ?? []),
    ...(signed.get(ATTRIBUTES.adobeRevocationInfo) ?? []),
  ].flat()
  const lists = values.flatMap(childrenOf)
  const items = (tag: number) =>
    lists
      .filter((each) => isContext(each, tag))
      .flatMap((list) => childrenOf(childrenOf(list)[0]).map(bytesOf))
  return readStatements(items(0), items(1))
}

/** @throws {Error} when it is none */
export function readSignerInfo(info: Block): SignerInfo {
  const all = childrenOf(info)
  const fields = [...all]
  const [version, signerId, digestAlgorithm] = fields.splice(0, 3)
  const signed = takeContext(fields, 0)
  const [algorithm, signature] = fields.splice(0, 2)
  const unsigned = takeContext(fields, 1)
  demand(isSequence(info) && fields.length === 0 && isOctets(signature), 'SignerInfo')
  demand(SIGNER_VERSIONS.includes(smallIntegerOf(version)), 'CMSVersion')
  const isId = isSequence(signerId) || isContext(signerId, 0)
  demand(signerId !== undefined && isId, 'SignerIdentifier')
  demand(isSequence(digestAlgorithm) && isSequence(algorithm), 'AlgorithmIdentifier')
  const hash = orNull(() => readHash(digestAlgorithm))
  return {
    signerId,
    hash,
    method: orNull(() => readSignatureMethod(algorithm, hash)),
    signedAttributes: signed ? asSet(signed) : null,
    signed: readAttributes(signed),
    unsigned: readAttributes(unsigned),
    unsignedEncodings: elementsOf(unsigned).map(bytesOf),
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
    const [type, values, ...others] = childrenOf(attribute)
    demand(isSequence(attribute) && isSet(values) && others.length === 0, 'Attribute')
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
  readonly flaws: readonly Flaw[]
}

/**
 * Checks one signer against the content, cryptographically.
 * @param data its content type is null for counter-signatures, which name none (RFC 5652, 11.4)
 * @param content of what is attached
 */
export function checkSigner(
  info: SignerInfo,
  data: { readonly contentType: string | null },
  certificates: readonly KnownCertificate[],
  { digestOf, content }: { readonly digestOf: DigestOf; readonly content: Buffer | null },
): CheckedSigner {
  const { hash, method, signed } = info
  const flaws: Flaw[] = []
  const candidates = certificates.filter((each) => isSigner(info.signerId, each))
  const named = namedCertificates(signed)
  const isNamed = (each: KnownCertificate) =>
    named.length > 0 && named.every((one) => one !== null && matches(one, each))
  const signer = candidates.find(isNamed) ?? candidates[0] ?? null
  const namesSigner = signer !== null && isNamed(signer)
  if (named.length > 0 && signer !== null && !namesSigner) {
    flaws.push(flaw('other-certificate-named', signer.subject))
  }
  if (hash === null || method === null) {
    flaws.push(flaw('unknown-algorithm'))
    return { signer, namesSigner, signingTime: null, flaws }
  }
  flaws.push(...contentFlaws(info, data, hash, digestOf))
  if (!isProtected(info)) flaws.push(flaw('algorithm-unprotected'))
  const message = info.signedAttributes ?? content
  if (signer && message === null) {
    flaws.push(flaw('digest-not-enough'))
  } else if (signer && message && !verifies(method, signer.key, message, info.signature)) {
    flaws.push(flaw('signature-broken'))
  }
  const time = onlyValue(signed, ATTRIBUTES.signingTime)
  return { signer, namesSigner, signingTime: time ? orNull(() => timeOf(time)) : null, flaws }
}

function contentFlaws(
  { signedAttributes, signed }: SignerInfo,
  { contentType }: { readonly contentType: string | null },
  hash: string,
  digestOf: DigestOf,
): Flaw[] {
  const digest = digestOf(hash)
  if (digest === null) return [flaw('content-missing', hashText(hash))]
  if (signedAttributes === null) {
    // What is signed could else be attributes of another signature in disguise.
    return contentType === CONTENT_TYPES.data
      ? [flaw('no-signed-attributes')]
      : [flaw('attributes-missing')]
  }
  const isTwice = ONCE.some((each) => signed.has(each) && !onlyValue(signed, each))
  const type = onlyValue(signed, ATTRIBUTES.contentType)
  const said = onlyValue(signed, ATTRIBUTES.messageDigest)
  const isOfType = type ? orNull(() => oidOf(type)) === contentType : contentType === null
  if (isTwice || !said || !isOfType) return [flaw('attributes-missing')]
  return isSame(octetsOf(said), digest) ? [] : [flaw('content-changed')]
}

/** @see RFC 6211: the algorithms inside have to be those outside, where they are there at all */
function isProtected({ signed, hash, method }: SignerInfo): boolean {
  const [values] = signed.get(ATTRIBUTES.algorithmProtection) ?? []
  if (values === undefined) return true
  return (
    orNull(() => {
      const [digest, ...others] = childrenOf(values[0])
      const algorithm = others.find((each) => isContext(each, 1))
      const inside = readSignatureMethod(algorithm, hash)
      return readHash(digest) === hash && inside.scheme === method?.scheme
    }) === true
  )
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}

/** By issuer and serial number, or by key identifier. */
function isSigner(id: Block, certificate: KnownCertificate): boolean {
  if (isContext(id, 0)) {
    const value = extensionValue(certificate, EXTENSIONS.subjectKeyIdentifier)
    return value !== undefined && octetsOf(readElement(value)).equals(octetsOf(id))
  }
  const [issuer, serial] = childrenOf(id)
  return (
    bytesOf(issuer).equals(certificate.issuerName) &&
    serialText(integerOf(serial)) === serialOf(certificate)
  )
}

interface NamedCertificate {
  readonly hash: string
  readonly digest: Buffer
  /** Null when the attribute does not name it. */
  readonly serialNumber: string | null
}

/**
 * The first ESSCertID, and the first ESSCertIDv2: each the signer's. Null for what cannot be read, or is there
 * twice. @see RFC 5035
 */
function namedCertificates(signed: Attributes): (NamedCertificate | null)[] {
  const types = [ATTRIBUTES.signingCertificateV2, ATTRIBUTES.signingCertificate]
  return types
    .filter((type) => signed.has(type))
    .map((type) =>
      orNull(() => {
        const isV2 = type === ATTRIBUTES.signingCertificateV2
        const value = onlyValue(signed, type)
        const fields = childrenOf(childrenOf(childrenOf(value)[0])[0])
        const algorithm = isSequence(fields[0]) && isV2 ? fields.shift() : undefined
        const [digest, issuerSerial] = fields
        const hash = algorithm ? readHash(algorithm) : isV2 ? 'sha256' : 'sha1'
        const serial = issuerSerial ? childrenOf(issuerSerial)[1] : undefined
        const serialNumber = serial ? serialText(integerOf(serial)) : null
        return { hash, digest: octetsOf(digest), serialNumber }
      }),
    )
}

function matches(named: NamedCertificate, certificate: KnownCertificate): boolean {
  const digest = createHash(named.hash).update(certificate.der).digest()
  const serial = serialOf(certificate)
  return isSame(named.digest, digest) && (named.serialNumber ?? serial) === serial
}

/** DER of each value of an unsigned attribute, whole. */
export function unsignedValues({ unsigned }: SignerInfo, type: string): Buffer[] {
  return (unsigned.get(type) ?? []).flat().map(bytesOf)
}
