import { createHash } from 'node:crypto'
import * as asn1js from 'asn1js'
import { bytesOf, childrenOf, octetsOf, readElement } from '../asn1.js'
import {
  ATTRIBUTES,
  checkSigner,
  unsignedValues,
  type Attributes,
  type DigestOf,
  type SignedData,
  type SignerInfo,
} from '../cms.js'
import type { SignatureEvidence, SignatureKind, TimestampEvidence } from '../evidence.js'
import { problem, type Finding } from '../findings.js'
import { readCertificate, type KnownCertificate } from '../known-certificate.js'
import { readHash } from '../../certificates/signature-method.js'
import { imprintProblems, readTimestampToken, type TimestampToken } from '../timestamp-token.js'

const MOST_TIMESTAMPS = 50

/** The signatures of a SignedData, each with its timestamps. */
export function cmsSignatures(
  data: SignedData,
  { digestOf, content }: { readonly digestOf: DigestOf; readonly content: Buffer | null },
  as: {
    /** Names of the format with and without a signing-certificate attribute. */
    readonly kinds: readonly [ades: SignatureKind, plain: SignatureKind]
    readonly place: string | null
    /** Certificates from elsewhere, such as the DSS of a PDF. */
    readonly certificates: readonly KnownCertificate[]
  },
): SignatureEvidence[] {
  return data.signers.map((info) => {
    const valued = certificateValues(info)
    const certificates = [...data.material.certificates, ...valued, ...as.certificates]
    const checked = checkSigner(info, data, certificates, { digestOf, content })
    const timestamps = signerTimestamps(data, info, { digestOf, certificates })
    return {
      kind: checked.namesSigner ? as.kinds[0] : as.kinds[1],
      place: as.place,
      signer: checked.signer,
      method: info.method,
      hashes: info.hash === null ? [] : [info.hash],
      signingTime: checked.signingTime,
      findings: checked.findings,
      timestamps,
      material: {
        certificates: [
          ...data.material.certificates,
          ...valued,
          ...timestamps.flatMap(({ token }) => token?.material.certificates ?? []),
        ],
        statements: [
          ...data.material.statements,
          ...timestamps.flatMap(({ token }) => token?.material.statements ?? []),
        ],
      },
      coverage: null,
    }
  })
}

/** CertificateValues of CAdES. */
function certificateValues({ unsigned }: SignerInfo): KnownCertificate[] {
  const values = (unsigned.get(ATTRIBUTES.certificateValues) ?? []).flat()
  return values
    .flatMap((value) => childrenOf(value))
    .map((each) => readCertificate(bytesOf(each)))
    .filter((each) => each !== null)
}

function signerTimestamps(
  data: SignedData,
  info: SignerInfo,
  given: { readonly digestOf: DigestOf; readonly certificates: readonly KnownCertificate[] },
): TimestampEvidence[] {
  const overSignature: DigestOf = (hash) => createHash(hash).update(info.signature).digest()
  const content = (info.signed.get(ATTRIBUTES.contentTimestamp) ?? []).flat().map(bytesOf)
  const all = [
    ...content.map((der) => ({ der, kind: 'content' as const })),
    ...unsignedValues(info, ATTRIBUTES.signatureTimestamp).map((der) => ({
      ...{ der, kind: 'signature' as const },
    })),
    ...unsignedValues(info, ATTRIBUTES.archiveTimestampV3).map((der) => ({
      ...{ der, kind: 'archive' as const },
    })),
  ]
  return all.slice(0, MOST_TIMESTAMPS).map(({ der, kind }) =>
    readTimestamp(der, kind, given.certificates, (token) => {
      switch (kind) {
        case 'content':
          return imprintProblems(token, given.digestOf)
        case 'signature':
          return imprintProblems(token, overSignature)
        case 'archive':
          return archiveProblems(token, data, info, given.digestOf)
      }
    }),
  )
}

/** A token and what is wrong with it; one that cannot be read is a problem, not an exception. */
export function readTimestamp(
  der: Buffer,
  kind: TimestampEvidence['kind'],
  certificates: readonly KnownCertificate[],
  check: (token: TimestampToken) => Finding[],
): TimestampEvidence {
  let token: TimestampToken | null = null
  try {
    token = readTimestampToken(der, certificates)
    return { kind, token, findings: [...token.findings, ...check(token)] }
  } catch {
    return { kind, token, findings: [problem('FORMAT_FAILURE', 'timestamp-unreadable')] }
  }
}

/**
 * The imprint of an archive-time-stamp-v3 (EN 319 122-1, 5.5.3), and whether all that its index lists is
 * there. What the index does not list came later, and is not protected by it.
 */
function archiveProblems(
  token: TimestampToken,
  data: SignedData,
  info: SignerInfo,
  digestOf: DigestOf,
): Finding[] {
  const { hashIndex } = token
  if (hashIndex === null) return [problem('FORMAT_FAILURE', 'hash-index-missing')]
  const index = readHashIndex(hashIndex)
  const digest = (bytes: Buffer) => createHash(index.hash).update(bytes).digest('hex')
  const present = [
    new Set(data.certificateChoices.map(digest)),
    new Set(data.revocationChoices.map(digest)),
    new Set(attributeEncodings(info.unsigned).map(digest)),
  ]
  const isComplete = index.lists.every((list, at) => list.every((each) => present[at]?.has(each)))
  if (!isComplete) return [problem('HASH_FAILURE', 'archive-incomplete')]
  return imprintProblems(token, (hash) => {
    const content = digestOf(hash)
    if (content === null) return null
    const parts = [data.contentTypeDer, content, ...info.fields, hashIndex]
    return createHash(hash).update(Buffer.concat(parts)).digest()
  })
}

interface HashIndex {
  readonly hash: string
  /** Of certificates, revocation data and unsigned attributes, hexadecimal. */
  readonly lists: readonly (readonly string[])[]
}

function readHashIndex(der: Buffer): HashIndex {
  const fields = childrenOf(readElement(der))
  const algorithm = fields.length === 4 ? fields.shift() : undefined
  if (fields.length !== 3) throw new Error('Not an ATSHashIndexV3')
  return {
    hash: algorithm ? readHash(algorithm) : 'sha256',
    lists: fields.map((list) => childrenOf(list).map((each) => octetsOf(each).toString('hex'))),
  }
}

/** Type and value of each value, one after the other. */
function attributeEncodings(attributes: Attributes): Buffer[] {
  return [...attributes].flatMap(([type, instances]) =>
    instances.flat().map((value) => Buffer.concat([oidEncoding(type), bytesOf(value)])),
  )
}

function oidEncoding(oid: string): Buffer {
  return Buffer.from(new asn1js.ObjectIdentifier({ value: oid }).toBER())
}
