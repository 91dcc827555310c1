import { SIGNED_PROPERTIES_TYPE } from '../../documents/xades/identifiers.js'
import {
  readXades,
  type XadesReference,
  type XadesSignature,
  type XadesTimestamp,
} from '../../documents/xades/xades-reader.js'
import { verifies } from '../../certificates/signature-method.js'
import { fingerprintOf, NO_MATERIAL, readMaterial } from '../../certificates/material.js'
import {
  type DetachedContent,
  type SignatureEvidence,
  type TimestampEvidence,
} from '../evidence.js'
import { problem, remark, type Finding } from '../findings.js'
import { policyIdentifier, type ClaimedPolicy } from '../signature-policy.js'
import { readCertificate, type KnownCertificate } from '../../certificates/known-certificate.js'
import { readTimestamp } from './cms-signatures.js'
import { digestOfContent, findContent } from './detached-content.js'
import type { DocumentReading } from './document-reading.js'

/**
 * Every signature in an XML document, also those over what lies beside it.
 * @param onFound hears the names of what is referred to
 * @throws {UnfitDocumentError}
 */
export function readXml(
  bytes: Buffer,
  contents: readonly DetachedContent[],
  onFound: (name: string) => void = () => undefined,
): DocumentReading {
  const reading = readXades(bytes, {
    find: (uri, hash) => {
      const content = findContent(contents, decoded(uri ?? ''))
      if (content?.name) onFound(content.name)
      if (content?.bytes) return { bytes: content.bytes }
      const digest = content && digestOfContent(content, hash)
      return digest ? { digest } : null
    },
  })
  return {
    format: 'XML',
    signatures: [
      ...reading.signatures.map((each) => ({
        ...evidenceOf(each),
        counterSignatures: countersOf(each, reading.counterSignatures),
      })),
      ...reading.unreadable.map(({ path, why }) => unreadable(path, why)),
    ],
    timestamps: [],
    material: NO_MATERIAL,
    findings: [],
  }
}

const MOST_DEEP = 5

/** Those that stand in it and in none within it. */
function countersOf(
  { path }: XadesSignature,
  all: readonly XadesSignature[],
  depth = 0,
): SignatureEvidence[] {
  const inside = all.filter((each) => each.path.startsWith(`${path}/`))
  const next = inside.filter(
    (each) => !inside.some((other) => each.path.startsWith(`${other.path}/`)),
  )
  if (depth >= MOST_DEEP) return next.map((each) => unreadable(each.path, 'CounterSignature'))
  return next.map((each) => {
    const evidence = evidenceOf(each)
    const isOver = each.references.some(
      ({ covers }) => covers?.kind === 'element' && covers.path === `${path}/SignatureValue[1]`,
    )
    const other = problem('SIG_CONSTRAINTS_FAILURE', 'other-signature-covered')
    return {
      ...evidence,
      findings: [
        ...evidence.findings.filter(({ code }) => code !== 'part-signed'),
        ...(isOver ? [] : [other]),
      ],
      counterSignatures: countersOf(each, inside, depth + 1),
    }
  })
}

/** Properties that were signed as such must not be taken for something else, and left unread. */
function propertiesFindings({ references, propertiesAreSigned }: XadesSignature): Finding[] {
  const isSaid = references.some(({ type }) => type === SIGNED_PROPERTIES_TYPE)
  return isSaid && !propertiesAreSigned
    ? [problem('FORMAT_FAILURE', 'signature-unreadable', 'SignedProperties')]
    : []
}

function policyOf({ policy }: XadesSignature): ClaimedPolicy | null {
  if (policy === null || typeof policy === 'string') return policy
  return { ...policy, identifier: policyIdentifier(policy.identifier) }
}

function decoded(uri: string): string {
  try {
    return decodeURIComponent(uri)
  } catch {
    return uri
  }
}

function unreadable(place: string, why: string): SignatureEvidence {
  return {
    ...{ kind: 'XMLDSig', place, signer: null, method: null, hashes: [], signingTime: null },
    ...{ timestamps: [], material: NO_MATERIAL, coverage: null },
    findings: [problem('FORMAT_FAILURE', 'signature-unreadable', why)],
  }
}

function evidenceOf(signature: XadesSignature): SignatureEvidence {
  const material = readMaterial(signature.embedded)
  const named = signature.signingCertificate
  const der = named ?? signature.keyInfoCertificates[0]
  const signer = der ? readCertificate(der) : null
  const hashes = signature.references.flatMap(({ hash }) => hash ?? [])
  return {
    kind: named && signature.propertiesAreSigned ? 'XAdES' : 'XMLDSig',
    place: signature.path,
    signer,
    method: signature.algorithm && methodOf(signature),
    hashes: [...new Set(hashes)],
    signingTime: signature.signingTime,
    policy: policyOf(signature),
    findings: [
      ...valueProblems(signature, signer),
      ...coverageFindings(signature),
      ...(signature.hasUnsignedObjects ? [remark('part-signed', `${signature.path}/Object`)] : []),
      ...(signature.hasCertifiedRoles ? [remark('attribute-certificate')] : []),
      ...propertiesFindings(signature),
      ...signature.references.flatMap(referenceProblems),
      ...(signature.signingCertificateReferences.length > 0 && !named && signer
        ? [problem('SIG_CONSTRAINTS_FAILURE', 'other-certificate-named', signer.subject)]
        : []),
      ...signature.problems
        .filter(() => signature.signingCertificateReferences.length > 0)
        .map((each) => problem('SIG_CONSTRAINTS_FAILURE', 'signature-unreadable', each)),
    ],
    timestamps: signature.timestamps.flatMap((each) => timestampOf(each, material.certificates)),
    material,
    coverage: null,
  }
}

function methodOf({ algorithm }: XadesSignature) {
  if (algorithm === null) return null
  const { scheme, hash, saltLength } = algorithm
  return { scheme, hash: hash.name, ...(saltLength === undefined ? {} : { saltLength }) }
}

function valueProblems(signature: XadesSignature, signer: KnownCertificate | null): Finding[] {
  const method = methodOf(signature)
  if (method === null) {
    return [
      problem('CRYPTO_CONSTRAINTS_FAILURE_NO_POE', 'weak-algorithm', signature.signatureMethod),
    ]
  }
  if (signer === null) return []
  const { signedInfo, signatureValue } = signature
  const isGood = verifies(method, signer.key, signedInfo, signatureValue)
  return isGood ? [] : [problem('SIG_CRYPTO_FAILURE', 'signature-broken')]
}

function referenceProblems({
  digestMatches,
  problem: why,
  uri,
  covers,
}: XadesReference): Finding[] {
  const about = uri ?? ''
  if (digestMatches === false) return [problem('HASH_FAILURE', 'content-changed', about)]
  if (digestMatches === true) return []
  if (why !== null) return [problem('FORMAT_FAILURE', 'signature-unreadable', why)]
  const sub = covers?.kind === 'detached' ? 'SIGNED_DATA_NOT_FOUND' : 'FORMAT_FAILURE'
  return [problem(sub, 'content-missing', about)]
}

/** A signature over itself alone says nothing; one over a part of the document leaves the rest open. */
function coverageFindings({ references, path }: XadesSignature): Finding[] {
  const covered = references.flatMap(({ covers }) => covers ?? [])
  const contents = covered.filter(({ kind }) => kind !== 'signed-properties')
  if (contents.length === 0) return [problem('SIGNED_DATA_NOT_FOUND', 'nothing-signed')]
  const isWithin = path.lastIndexOf('/') > 0
  const isOverAround = contents.some(({ kind }) => kind === 'document' || kind === 'element')
  return [
    ...contents.flatMap((each) =>
      each.kind === 'element' ? [remark('part-signed', each.path)] : [],
    ),
    ...(isWithin && !isOverAround ? [remark('part-signed', path)] : []),
  ]
}

const KINDS: Readonly<Record<XadesTimestamp['kind'], TimestampEvidence['kind'] | null>> = {
  AllDataObjectsTimeStamp: 'content',
  IndividualDataObjectsTimeStamp: 'content',
  SignatureTimeStamp: 'signature',
  // Over references to what proves the signature: no proof of ours rests on them.
  SigAndRefsTimeStamp: null,
  RefsOnlyTimeStamp: null,
  ArchiveTimeStamp: 'archive',
}

function timestampOf(
  { kind, token, imprintMatches, covered }: XadesTimestamp,
  certificates: readonly KnownCertificate[],
): TimestampEvidence[] {
  const known = KINDS[kind]
  if (known === null) return []
  const findings =
    imprintMatches === true
      ? []
      : imprintMatches === false
        ? [problem('HASH_FAILURE', 'timestamp-other-content')]
        : [problem('SIGNED_DATA_NOT_FOUND', 'content-missing')]
  const { statements } = readMaterial(covered)
  const inside = [...statements, ...covered.timestamps.map((der) => ({ der }))]
  const covers = known === 'archive' ? { covers: new Set(inside.map(fingerprintOf)) } : {}
  return [readTimestamp(token, known, certificates, () => ({ findings, ...covers }))]
}
