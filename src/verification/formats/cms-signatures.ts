import { createHash } from 'node:crypto'
import * as asn1js from 'asn1js'
import {
  bytesOf,
  childrenOf,
  isContext,
  isSequence,
  octetsOf,
  oidOf,
  readElement,
} from '../../certificates/asn1.js'
import {
  ATTRIBUTES,
  checkSigner,
  digestOfBytes,
  onlyValue,
  readSignerInfo,
  unsignedValues,
  type DigestOf,
  type SignedData,
  type SignerInfo,
} from '../../certificates/cms.js'
import type { SignatureEvidence, SignatureKind, TimestampEvidence } from '../evidence.js'
import { findingsOf, problem, remark, type Finding } from '../findings.js'
import type { ClaimedPolicy } from '../signature-policy.js'
import { sequenceOf } from '../../certificates/der.js'
import { readCertificates, type KnownCertificate } from '../../certificates/known-certificate.js'
import { fingerprintOf, NO_MATERIAL } from '../../certificates/material.js'
import { readHash } from '../../certificates/signature-method.js'
import {
  imprintFlaws,
  readTimestampToken,
  type TimestampToken,
} from '../../timestamping/timestamp-token.js'

const MOST_TIMESTAMPS = 50

/** What goes for all signers of one SignedData. */
interface Context {
  /** Names of the format with and without a signing-certificate attribute. */
  readonly kinds: readonly [ades: SignatureKind, plain: SignatureKind]
  readonly place: string | null
  /** Certificates from elsewhere, such as the DSS of a PDF. */
  readonly certificates: readonly KnownCertificate[]
}

interface Signed {
  readonly digestOf: DigestOf
  readonly content: Buffer | null
}

/** The signatures of a SignedData, each with its timestamps. */
export function cmsSignatures(data: SignedData, signed: Signed, as: Context): SignatureEvidence[] {
  const count = { left: MOST_COUNTER_SIGNATURES }
  return data.signers.map((info) => signatureOf(info, data, signed, { ...as, count, depth: 0 }))
}

function signatureOf(
  info: SignerInfo,
  data: SignedData,
  signed: Signed,
  as: Context & { readonly count: { left: number }; readonly depth: number },
): SignatureEvidence {
  const valued = certificateValues(info)
  const certificates = [...data.material.certificates, ...valued, ...as.certificates]
  const contentType = as.depth > 0 ? null : data.contentType
  const checked = checkSigner(info, { contentType }, certificates, signed)
  const timestamps = signerTimestamps(data, info, { ...signed, certificates })
  const own: Signed = { digestOf: digestOfBytes(info.signature), content: info.signature }
  const material = {
    certificates: [
      ...data.material.certificates,
      ...valued,
      ...timestamps.flatMap(({ token }) => token?.material.certificates ?? []),
    ],
    statements: [
      ...data.material.statements,
      ...timestamps.flatMap(({ token }) => token?.material.statements ?? []),
    ],
  }
  const counter = counterSignatures(info, as).map((each) =>
    typeof each === 'string'
      ? unreadable(as.place, each)
      : signatureOf(each, data, own, { ...as, depth: as.depth + 1 }),
  )
  return {
    kind: checked.namesSigner ? as.kinds[0] : as.kinds[1],
    ...{ place: as.place, signer: checked.signer, method: info.method, timestamps, material },
    hashes: info.hash === null ? [] : [info.hash],
    signingTime: checked.signingTime,
    policy: policyOf(info),
    findings: [...findingsOf(checked.flaws), ...attributeFindings(info, data)],
    coverage: null,
    counterSignatures: counter,
  }
}

const MOST_COUNTER_SIGNATURES = 50
const DEEPEST = 5

/** Those over this one (RFC 5652, 11.4); a text for one that cannot be read. */
function counterSignatures(
  { unsigned }: SignerInfo,
  { count, depth }: { readonly count: { left: number }; readonly depth: number },
): (SignerInfo | string)[] {
  return (unsigned.get(ATTRIBUTES.counterSignature) ?? []).flat().map((value) => {
    count.left -= 1
    if (count.left < 0 || depth >= DEEPEST) return 'CounterSignature'
    try {
      return readSignerInfo(value)
    } catch {
      return 'CMS'
    }
  })
}

function unreadable(place: string | null, what: string): SignatureEvidence {
  return {
    ...{ kind: 'CMS', place, signer: null, method: null, hashes: [], signingTime: null },
    ...{ timestamps: [], material: NO_MATERIAL, coverage: null },
    findings: [problem('FORMAT_FAILURE', 'signature-unreadable', what)],
  }
}

/** @see EN 319 122-1, 5.2.9: NULL is a policy that is implied */
function policyOf(info: SignerInfo): ClaimedPolicy | null {
  if (!info.signed.has(ATTRIBUTES.signaturePolicy)) return null
  try {
    const value = onlyValue(info.signed, ATTRIBUTES.signaturePolicy)
    if (value instanceof asn1js.Null) return 'implied'
    const [identifier, named] = childrenOf(value)
    const [algorithm, octets] = childrenOf(named)
    const digest = { hash: readHash(algorithm), value: octetsOf(octets) }
    // One that was to be empty had to be of zeros where it could not be left out.
    const isSaid = digest.value.some((octet) => octet !== 0)
    return {
      identifier: oidOf(identifier),
      digest: isSaid ? digest : null,
      stored: storedPolicy(info),
    }
  } catch {
    return 'unreadable'
  }
}

/** @see EN 319 122-1, 5.2.10: which specification the text is after, then the text or where it lies */
function storedPolicy({ unsigned }: SignerInfo): Buffer | null {
  if (!unsigned.has(ATTRIBUTES.signaturePolicyStore)) return null
  const [, text] = childrenOf(onlyValue(unsigned, ATTRIBUTES.signaturePolicyStore))
  return text instanceof asn1js.OctetString ? octetsOf(text) : null
}

/** Tags of attribute certificates, of either version, among CertificateChoices. */
const ATTRIBUTE_CERTIFICATES: readonly (number | undefined)[] = [0xa1, 0xa2]

/** Who signs may have brought attribute certificates: beside the others, or as a signed attribute. */
function attributeFindings({ signed }: SignerInfo, { certificateChoices }: SignedData): Finding[] {
  const isBeside = certificateChoices.some(([tag]) => ATTRIBUTE_CERTIFICATES.includes(tag))
  const types = [ATTRIBUTES.signerAttributes, ATTRIBUTES.signerAttributesV2]
  const values = types.flatMap((type) => (signed.get(type) ?? []).flat())
  const isSigned = values.some(
    (value) => isSequence(value) && childrenOf(value).some((each) => isContext(each, 1)),
  )
  return isBeside || isSigned ? [remark('attribute-certificate')] : []
}

/** CertificateValues of CAdES. */
function certificateValues({ unsigned }: SignerInfo): KnownCertificate[] {
  const values = (unsigned.get(ATTRIBUTES.certificateValues) ?? []).flat()
  return readCertificates(values.flatMap((value) => childrenOf(value)).map(bytesOf))
}

function signerTimestamps(
  data: SignedData,
  info: SignerInfo,
  given: Signed & { readonly certificates: readonly KnownCertificate[] },
): TimestampEvidence[] {
  const overSignature = digestOfBytes(info.signature)
  const content = (info.signed.get(ATTRIBUTES.contentTimestamp) ?? []).flat().map(bytesOf)
  const read = (type: string, kind: TimestampEvidence['kind'], check: TimestampCheck) =>
    unsignedValues(info, type).map((der) => readTimestamp(der, kind, given.certificates, check))
  const both = [
    ...content.map((der) =>
      readTimestamp(der, 'content', given.certificates, (token) => ({
        findings: imprintProblems(token, given.digestOf),
      })),
    ),
    ...read(ATTRIBUTES.signatureTimestamp, 'signature', (token) => ({
      findings: imprintProblems(token, overSignature),
    })),
  ]
  const archive = [
    ...read(ATTRIBUTES.archiveTimestampV2, 'archive', (token) =>
      archiveV2Check(token, data, info, given.content),
    ),
    ...read(ATTRIBUTES.archiveTimestampV3, 'archive', (token) =>
      archiveV3Check(token, data, info, given.digestOf),
    ),
  ]
  return [...both, ...archive].slice(0, MOST_TIMESTAMPS)
}

/** What is wrong with a token as to what it is over, and what that is. */
type TimestampCheck = (token: TimestampToken) => Pick<TimestampEvidence, 'findings' | 'covers'>

/** Whether it is over that. */
export function imprintProblems(token: TimestampToken, digestOf: DigestOf): Finding[] {
  return findingsOf(imprintFlaws(token, digestOf))
}

/** A token and what is wrong with it; one that cannot be read is a problem, not an exception. */
export function readTimestamp(
  der: Buffer,
  kind: TimestampEvidence['kind'],
  certificates: readonly KnownCertificate[],
  check: TimestampCheck,
): TimestampEvidence {
  let token: TimestampToken | null = null
  try {
    token = readTimestampToken(der, certificates)
    const { findings, ...covers } = check(token)
    return { kind, token, ...covers, findings: [...findingsOf(token.flaws), ...findings] }
  } catch {
    return { kind, token, findings: [problem('FORMAT_FAILURE', 'timestamp-unreadable')] }
  }
}

/**
 * The imprint of an archive-time-stamp-v3 (EN 319 122-1, 5.5.3), and whether all that its index lists is
 * there. What the index does not list came later, and is not protected by it.
 */
function archiveV3Check(
  token: TimestampToken,
  data: SignedData,
  info: SignerInfo,
  digestOf: DigestOf,
): ReturnType<TimestampCheck> {
  const { hashIndex } = token
  if (hashIndex === null) return { findings: [problem('FORMAT_FAILURE', 'hash-index-missing')] }
  const index = readHashIndex(hashIndex)
  const digest = (bytes: Buffer) => createHash(index.hash).update(bytes).digest('hex')
  const attributes = attributeEncodings(info, index.isV3)
  const present = [data.certificateChoices, data.revocationChoices, attributes].map(
    (each) => new Map(each.map((bytes) => [digest(bytes), bytes])),
  )
  const isComplete = index.lists.every((list, at) => list.every((each) => present[at]?.has(each)))
  if (!isComplete) return { findings: [problem('HASH_FAILURE', 'archive-incomplete')] }
  const covered = index.lists.flatMap((list, at) =>
    list.flatMap((each) => present[at]?.get(each) ?? []),
  )
  return {
    covers: coveredAmong(data, info, covered),
    findings: imprintProblems(token, (hash) => {
      const content = digestOf(hash)
      if (content === null) return null
      const parts = [data.contentTypeDer, content, ...info.fields, hashIndex.der]
      return createHash(hash).update(Buffer.concat(parts)).digest()
    }),
  }
}

/**
 * The imprint of an archive-time-stamp-v2 (TS 101 733, 6.4.1) is over everything that was there, with or
 * without the header of the unsigned attributes: the clause was read in both ways.
 */
function archiveV2Check(
  token: TimestampToken,
  data: SignedData,
  info: SignerInfo,
  content: Buffer | null,
): ReturnType<TimestampCheck> {
  const [encapsulated, ...sets] = data.fields
  const at = info.unsignedEncodings.findIndex((each) => each.includes(token.der))
  const before = info.unsignedEncodings.slice(0, at)
  if (!encapsulated || content === null) {
    return { findings: [problem('SIGNED_DATA_NOT_FOUND', 'digest-not-enough')] }
  }
  const attributes = Buffer.concat(before)
  const outside = data.content === null ? [content] : []
  const all = [encapsulated, ...outside, ...sets, ...info.fields]
  const findings = [underTag(UNSIGNED_ATTRIBUTES, attributes), attributes].map((last) =>
    imprintProblems(token, digestOfBytes(Buffer.concat([...all, last]))),
  )
  return {
    covers: coveredAmong(data, info, [...data.revocationChoices, ...before]),
    findings: findings.find((each) => each.length === 0) ?? findings[0] ?? [],
  }
}

const UNSIGNED_ATTRIBUTES = 0xa1

function underTag(tag: number, content: Buffer): Buffer {
  const bytes = sequenceOf(content)
  bytes[0] = tag
  return bytes
}

/** Revocation data and timestamps within these bytes. */
function coveredAmong(
  { material }: SignedData,
  info: SignerInfo,
  bytes: readonly Buffer[],
): ReadonlySet<string> {
  const types = [
    ...[ATTRIBUTES.signatureTimestamp, ATTRIBUTES.archiveTimestampV2],
    ATTRIBUTES.archiveTimestampV3,
  ]
  const tokens = types.flatMap((type) => unsignedValues(info, type)).map((der) => ({ der }))
  const inside = [...material.statements, ...tokens].filter(({ der }) =>
    bytes.some((each) => each.includes(der)),
  )
  return new Set(inside.map(fingerprintOf))
}

interface HashIndex {
  readonly hash: string
  /** Of certificates, revocation data and unsigned attributes, hexadecimal. */
  readonly lists: readonly (readonly string[])[]
  /** Whether attributes are listed value by value, and not whole. */
  readonly isV3: boolean
}

function readHashIndex({ der, isV3 }: { der: Buffer; isV3: boolean }): HashIndex {
  const fields = childrenOf(readElement(der))
  const algorithm = fields.length === 4 ? fields.shift() : undefined
  if (fields.length !== 3) throw new Error('Not an ATSHashIndex')
  return {
    isV3,
    hash: algorithm ? readHash(algorithm) : 'sha256',
    lists: fields.map((list) => childrenOf(list).map((each) => octetsOf(each).toString('hex'))),
  }
}

/** Type and value of each value, one after the other; before V3, whole attributes. */
function attributeEncodings({ unsigned, unsignedEncodings }: SignerInfo, isV3: boolean): Buffer[] {
  if (!isV3) return [...unsignedEncodings]
  return [...unsigned].flatMap(([type, instances]) =>
    instances.flat().map((value) => Buffer.concat([oidEncoding(type), bytesOf(value)])),
  )
}

function oidEncoding(oid: string): Buffer {
  return Buffer.from(new asn1js.ObjectIdentifier({ value: oid }).toBER())
}
