import { createHash } from 'node:crypto'
import { joseToDer } from 'ecdsa-sig-formatter'
import { hashText, verifies, type SignatureMethod } from '../../certificates/signature-method.js'
import type { DigestOf } from '../../certificates/cms.js'
import { jsonFlaw } from '../../documents/json-text.js'
import {
  fingerprintOf,
  joinMaterial,
  NO_MATERIAL,
  type Material,
} from '../../certificates/material.js'
import {
  type DetachedContent,
  type SignatureEvidence,
  type TimestampEvidence,
} from '../evidence.js'
import { problem, remark, type Finding } from '../findings.js'
import { policyIdentifier, type ClaimedPolicy } from '../signature-policy.js'
import { readCertificate, type KnownCertificate } from '../../certificates/known-certificate.js'
import { readStatements } from '../../certificates/revocation-records.js'
import { imprintProblems, readTimestamp } from './cms-signatures.js'
import { digestOfContent, findContent } from './detached-content.js'
import { MOST_SIGNATURES, tooManySignatures, type DocumentReading } from './document-reading.js'

type JsonObject = Readonly<Partial<Record<string, unknown>>>

/** One signature of a JWS, its parts as they were sent. */
interface JwsSignature {
  /** base64url. */
  readonly protectedText: string
  readonly header: JsonObject
  readonly unprotected: JsonObject
  /** base64url. */
  readonly signature: string
  /** base64url, or text where `b64` is false; null when it is detached. */
  readonly payload: string | null
}

/** JWS in each of its serialisations, with the header parameters of TS 119 182-1. @throws {Error} */
export function readJws(bytes: Buffer, contents: readonly DetachedContent[]): DocumentReading {
  const { payload, signatures } = readSerialisation(utf8(bytes))
  return {
    format: 'JWS',
    signatures: signatures
      .slice(0, MOST_SIGNATURES)
      .map((each) => evidenceOf(readSignature(each, payload), contents)),
    timestamps: [],
    material: NO_MATERIAL,
    findings: signatures.length > MOST_SIGNATURES ? [tooManySignatures(signatures.length)] : [],
  }
}

const BASE64URL = /^[A-Za-z0-9_-]*$/
const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]+)$/

function readSerialisation(text: string): { payload: string | null; signatures: JsonObject[] } {
  const [, header, payload, signature] = COMPACT.exec(text.trim()) ?? []
  if (header !== undefined) {
    return { payload: payload || null, signatures: [{ protected: header, signature }] }
  }
  const jws = objectOf(parsed(text))
  const found = jws['payload'] ?? null
  if (found !== null && typeof found !== 'string') throw new Error('No payload')
  const isGeneral = 'signatures' in jws
  if (isGeneral && ('signature' in jws || 'protected' in jws)) throw new Error('Two forms at once')
  const signatures = isGeneral ? arrayOf(jws['signatures']).map(objectOf) : [jws]
  return { payload: found || null, signatures }
}

const DEEPEST_JSON = 100

/** No member twice: what one reader takes for the payload must not be another's left-over. */
function parsed(text: string): unknown {
  if (jsonFlaw(text, DEEPEST_JSON) !== null) throw new Error('JSON that is read in several ways')
  return JSON.parse(text)
}

function readSignature(jws: JsonObject, payload: string | null): JwsSignature {
  const [protectedText, signature] = [textOf(jws['protected']), textOf(jws['signature'])]
  if (!BASE64URL.test(protectedText) || !BASE64URL.test(signature)) throw new Error('Not Base64url')
  const header = objectOf(parsed(utf8(Buffer.from(protectedText, 'base64url'))))
  const unprotected = jws['header'] === undefined ? {} : objectOf(jws['header'])
  // A parameter said twice would mean one thing to one reader and another to the next (RFC 7515, 4).
  if (Object.keys(unprotected).some((name) => name in header)) throw new Error('Two headers')
  return { protectedText, header, unprotected, signature, payload }
}

function evidenceOf(
  jws: JwsSignature,
  contents: readonly DetachedContent[],
  depth = 0,
): SignatureEvidence {
  const { header } = jws
  const material = materialOf(jws)
  const algorithm = ALGORITHMS[String(header['alg'])] ?? null
  const signer = certificatesIn(header['x5c'])[0] ?? null
  const named = namedDigest(header)
  const namesSigner = named !== null && signer !== null && isNamed(named, signer)
  const signed = signedDataOf(jws, contents)
  const findings = [
    ...headerProblems(header),
    ...(algorithm === null ? [problem('FORMAT_FAILURE', 'unknown-algorithm')] : []),
    ...(named !== null && signer !== null && !namesSigner
      ? [problem('SIG_CONSTRAINTS_FAILURE', 'other-certificate-named', signer.subject)]
      : []),
    ...signed.findings,
    ...roleFindings(jws),
    ...(algorithm && signer && signed.input
      ? valueProblems(jws, algorithm, signer, signed.input)
      : []),
  ]
  return {
    kind: namesSigner ? 'JAdES' : 'JWS',
    place: null,
    signer,
    method: algorithm?.method ?? null,
    hashes: [...(algorithm?.method.hash ? [algorithm.method.hash] : []), ...signed.hashes],
    signingTime: signingTime(header),
    policy: policyOf(jws),
    findings,
    timestamps: timestampsOf(jws, signed, material.certificates),
    material,
    coverage: null,
    counterSignatures: countersOf(jws, depth),
  }
}

const MOST_DEEP = 5
const MOST_COUNTERS = 20

/** `cSig`: a JWS whose payload is the value of this one. @see TS 119 182-1, 5.3.2 */
function countersOf(jws: JwsSignature, depth: number): SignatureEvidence[] {
  const values = unsignedElements(jws).flatMap(({ value }) => value['cSig'] ?? [])
  return values.slice(0, MOST_COUNTERS).flatMap((value) => {
    try {
      if (depth >= MOST_DEEP) throw new Error('Too deep')
      const text = typeof value === 'string' ? value : JSON.stringify(value)
      const { payload, signatures } = readSerialisation(text)
      return signatures.map((each) => {
        const inner = readSignature(each, payload ?? jws.signature)
        const evidence = evidenceOf(inner, [], depth + 1)
        const isOver = inner.payload === jws.signature && inner.header['sigD'] === undefined
        const other = problem('SIG_CONSTRAINTS_FAILURE', 'other-signature-covered')
        return isOver ? evidence : { ...evidence, findings: [...evidence.findings, other] }
      })
    } catch {
      return [unreadable('cSig')]
    }
  })
}

function unreadable(what: string): SignatureEvidence {
  return {
    ...{ kind: 'JWS', place: null, signer: null, method: null, hashes: [], signingTime: null },
    ...{ timestamps: [], material: NO_MATERIAL, coverage: null },
    findings: [problem('FORMAT_FAILURE', 'signature-unreadable', what)],
  }
}

interface JwsAlgorithm {
  readonly method: SignatureMethod
  /** The curve that goes with it, and how its signatures are called. */
  readonly curve?: string
  readonly name?: 'ES256' | 'ES384' | 'ES512'
}

const ALGORITHMS: Readonly<Partial<Record<string, JwsAlgorithm>>> = {
  RS256: { method: { scheme: 'rsa-pkcs1', hash: 'sha256' } },
  RS384: { method: { scheme: 'rsa-pkcs1', hash: 'sha384' } },
  RS512: { method: { scheme: 'rsa-pkcs1', hash: 'sha512' } },
  PS256: { method: { scheme: 'rsa-pss', hash: 'sha256', saltLength: 32 } },
  PS384: { method: { scheme: 'rsa-pss', hash: 'sha384', saltLength: 48 } },
  PS512: { method: { scheme: 'rsa-pss', hash: 'sha512', saltLength: 64 } },
  ES256: { method: { scheme: 'ecdsa', hash: 'sha256' }, curve: 'prime256v1', name: 'ES256' },
  ES384: { method: { scheme: 'ecdsa', hash: 'sha384' }, curve: 'secp384r1', name: 'ES384' },
  ES512: { method: { scheme: 'ecdsa', hash: 'sha512' }, curve: 'secp521r1', name: 'ES512' },
  EdDSA: { method: { scheme: 'eddsa', hash: null } },
}

/** Parameters that may be critical, because they are heeded. */
const UNDERSTOOD: ReadonlySet<unknown> = new Set([
  ...['b64', 'sigD', 'sigT', 'iat', 'x5t#o', 'srCms', 'sigPl', 'srAts', 'adoTst', 'sigPId'],
])

function headerProblems(header: JsonObject): Finding[] {
  const { crit, b64 } = header
  if (b64 !== undefined && typeof b64 !== 'boolean') {
    return [problem('FORMAT_FAILURE', 'header-not-understood', 'b64')]
  }
  if (b64 === false && !(Array.isArray(crit) && crit.includes('b64'))) {
    return [problem('FORMAT_FAILURE', 'header-not-understood', 'b64')]
  }
  if (crit === undefined) return []
  const names: unknown[] = Array.isArray(crit) ? crit : []
  const unknown = names.filter((name) => !UNDERSTOOD.has(name) || !(String(name) in header))
  return names.length === 0 || unknown.length > 0
    ? [
        problem(
          'FORMAT_FAILURE',
          'header-not-understood',
          unknown.map(String).join(', ').slice(0, 100),
        ),
      ]
    : []
}

/** @see TS 119 182-1, 5.2.7 */
function policyOf(jws: JwsSignature): ClaimedPolicy | null {
  const { sigPId } = jws.header
  if (sigPId === undefined) return null
  try {
    const { id, digAlg, digVal } = objectOf(sigPId)
    const name = textOf(isObject(id) ? id['id'] : id)
    const hash = HASH_IDS[String(digAlg)]
    if (digVal !== undefined && hash === undefined) return 'unreadable'
    const digest =
      hash === undefined || digVal === undefined
        ? null
        : { hash, value: Buffer.from(textOf(digVal), 'base64url') }
    return { identifier: policyIdentifier(name), digest, stored: storedPolicy(jws) }
  } catch {
    return 'unreadable'
  }
}

/** @see TS 119 182-1, 5.3.3 */
function storedPolicy(jws: JwsSignature): Buffer | null {
  const [store] = unsignedElements(jws).flatMap(({ value }) => value['sigPSt'] ?? [])
  const text = store === undefined ? undefined : objectOf(store)['sigPolDoc']
  return text === undefined ? null : Buffer.from(textOf(text), 'base64')
}

function roleFindings(jws: JwsSignature): Finding[] {
  const { srAts } = jws.header
  const hasCertified =
    Array.isArray(srAts) &&
    (srAts as unknown[]).some((each) => isObject(each) && each['certified'] !== undefined)
  return hasCertified ? [remark('attribute-certificate')] : []
}

function valueProblems(
  { signature }: JwsSignature,
  { method, curve, name }: JwsAlgorithm,
  signer: KnownCertificate,
  input: Buffer,
): Finding[] {
  const broken = [problem('SIG_CRYPTO_FAILURE', 'signature-broken')]
  if (curve !== undefined && signer.key.asymmetricKeyDetails?.namedCurve !== curve) return broken
  try {
    const value = Buffer.from(signature, 'base64url')
    if (value.toString('base64url') !== signature) return broken
    const octets = name === undefined ? value : joseToDer(value, name)
    return verifies(method, signer.key, input, octets) ? [] : broken
  } catch {
    return broken
  }
}

interface SignedData {
  /** What the key signed; null when nobody has it. */
  readonly input: Buffer | null
  /** Of the content as timestamps want it. */
  readonly digestOf: DigestOf
  /** The same, whole; null when nobody has it. */
  readonly octets: Buffer | null
  readonly hashes: readonly string[]
  readonly findings: readonly Finding[]
}

/** @see TS 119 182-1, 5.2.8, and RFC 7797 */
function signedDataOf(jws: JwsSignature, contents: readonly DetachedContent[]): SignedData {
  const { header, payload } = jws
  if (header['sigD'] !== undefined) {
    if (payload !== null)
      return missing([problem('FORMAT_FAILURE', 'header-not-understood', 'sigD')])
    return detachedData(jws, objectOf(header['sigD']), contents)
  }
  if (payload !== null) {
    const held = present(jws, Buffer.from(payload))
    return isOther(held, header, contents)
      ? { ...held, findings: [problem('HASH_FAILURE', 'content-changed', '')] }
      : held
  }
  const [only, another] = contents
  if (!only?.bytes || another)
    return missing([problem('SIGNED_DATA_NOT_FOUND', 'content-missing', '')])
  return present(jws, encodedPayload(header, only.bytes))
}

/** What was handed in is what people ask about, also where the signature holds something else. */
function isOther(
  { digestOf }: SignedData,
  header: JsonObject,
  contents: readonly DetachedContent[],
): boolean {
  return contents.some(({ bytes }) => {
    if (bytes === null) return true
    const digest = createHash('sha256').update(encodedPayload(header, bytes)).digest()
    return digestOf('sha256')?.equals(digest) !== true
  })
}

function encodedPayload({ b64 }: JsonObject, bytes: Buffer): Buffer {
  return b64 === false ? bytes : Buffer.from(bytes.toString('base64url'))
}

function present({ protectedText }: JwsSignature, payload: Buffer): SignedData {
  return {
    input: Buffer.concat([Buffer.from(`${protectedText}.`), payload]),
    digestOf: (hash) => createHash(hash).update(payload).digest(),
    ...{ octets: payload, hashes: [], findings: [] },
  }
}

function missing(findings: readonly Finding[]): SignedData {
  return { input: null, digestOf: () => null, octets: null, hashes: [], findings }
}

const MECHANISMS = {
  byUri: 'http://uri.etsi.org/19182/ObjectIdByURI',
  byUriHash: 'http://uri.etsi.org/19182/ObjectIdByURIHash',
} as const
const HASH_IDS: Readonly<Partial<Record<string, string>>> = {
  ...{ S256: 'sha256', S384: 'sha384', S512: 'sha512' },
  ...{ 'S3-256': 'sha3-256', 'S3-384': 'sha3-384', 'S3-512': 'sha3-512' },
}

function detachedData(
  jws: JwsSignature,
  sigD: JsonObject,
  contents: readonly DetachedContent[],
): SignedData {
  const uris = arrayOf(sigD['pars']).map(textOf)
  const found = uris.map((uri) => findContent(contents, uri))
  const bytes = found.map((each) => each?.bytes ?? null)
  const octets = bytes.includes(null)
    ? null
    : Buffer.concat(bytes.flatMap((each) => (each ? [encodedPayload(jws.header, each)] : [])))
  switch (sigD['mId']) {
    case MECHANISMS.byUri:
      return octets === null
        ? missing([problem('SIGNED_DATA_NOT_FOUND', 'content-missing', uris.join(', '))])
        : present(jws, octets)
    case MECHANISMS.byUriHash: {
      const hash = HASH_IDS[textOf(sigD['hashM'])]
      const values = arrayOf(sigD['hashV']).map(textOf)
      if (hash === undefined || values.length !== uris.length || uris.length === 0) {
        return missing([problem('FORMAT_FAILURE', 'header-not-understood', 'sigD')])
      }
      const findings = uris.flatMap((uri, at) =>
        digestProblems(jws.header, { hash, uri, value: values[at] ?? '' }, found[at] ?? null),
      )
      return {
        input: Buffer.from(`${jws.protectedText}.`),
        digestOf: (name) =>
          octets ? createHash(name).update(octets).digest() : onlyDigest(found, name),
        ...{ octets, hashes: [hash], findings },
      }
    }
    default:
      return missing([problem('SIGNED_DATA_NOT_FOUND', 'header-not-understood', 'sigD')])
  }
}

function onlyDigest(found: readonly (DetachedContent | null)[], hash: string): Buffer | null {
  const [only, another] = found
  return only && !another ? digestOfContent(only, hash) : null
}

function digestProblems(
  header: JsonObject,
  { hash, uri, value }: { readonly hash: string; readonly uri: string; readonly value: string },
  content: DetachedContent | null,
): Finding[] {
  const isEncoded = header['b64'] !== false
  const digest =
    content === null
      ? null
      : isEncoded
        ? content.bytes && createHash(hash).update(encodedPayload(header, content.bytes)).digest()
        : digestOfContent(content, hash)
  if (digest === null) {
    const about = `${hashText(hash)} ${uri}`.slice(0, 200)
    return [problem('SIGNED_DATA_NOT_FOUND', 'content-missing', about)]
  }
  return digest.toString('base64url') === value.replace(/=+$/, '')
    ? []
    : [problem('HASH_FAILURE', 'content-changed', uri)]
}

interface NamedDigest {
  readonly hash: string
  readonly value: string
}

/** `x5t#S256`, `x5t#o`, or the first of `sigX5ts`. */
function namedDigest(header: JsonObject): NamedDigest | null {
  const plain = header['x5t#S256']
  if (typeof plain === 'string') return { hash: 'sha256', value: plain }
  const list = header['sigX5ts']
  const other = header['x5t#o'] ?? (Array.isArray(list) ? (list as unknown[])[0] : undefined)
  if (other === undefined) return null
  const { digAlg, digVal } = objectOf(other)
  const hash = HASH_IDS[String(digAlg)]
  return hash !== undefined && typeof digVal === 'string' ? { hash, value: digVal } : null
}

function isNamed({ hash, value }: NamedDigest, { der }: KnownCertificate): boolean {
  return createHash(hash).update(der).digest('base64url') === value.replace(/=+$/, '')
}

function signingTime({ sigT, iat }: JsonObject): Date | null {
  const time =
    typeof iat === 'number'
      ? new Date(iat * 1000)
      : typeof sigT === 'string'
        ? new Date(sigT)
        : null
  return time === null || Number.isNaN(time.getTime()) ? null : time
}

/** An element of `etsiU`, and its text where it is base64url. */
interface UnsignedElement {
  readonly text: string | null
  readonly value: JsonObject
}

function unsignedElements({ unprotected }: JwsSignature): UnsignedElement[] {
  const list = unprotected['etsiU']
  return (Array.isArray(list) ? (list as unknown[]) : []).map((each) =>
    typeof each === 'string'
      ? { text: each, value: elementOf(parsed(utf8(Buffer.from(each, 'base64url')))) }
      : { text: null, value: elementOf(each) },
  )
}

/** Of one member; in what order others would come, nobody could say. */
function elementOf(value: unknown): JsonObject {
  const element = objectOf(value)
  if (Object.keys(element).length !== 1) throw new Error('Not one element')
  return element
}

const MOST_TIMESTAMPS = 50

function timestampsOf(
  jws: JwsSignature,
  signed: SignedData,
  certificates: readonly KnownCertificate[],
): TimestampEvidence[] {
  const read = (
    container: unknown,
    kind: TimestampEvidence['kind'],
    digestOf: DigestOf,
    covers?: ReadonlySet<string>,
  ) =>
    tokensOf(container).map((der) =>
      readTimestamp(der, kind, certificates, (token) => ({
        findings: imprintProblems(token, digestOf),
        ...(covers ? { covers } : {}),
      })),
    )
  const overSignature: DigestOf = (hash) => createHash(hash).update(jws.signature).digest()
  const elements = unsignedElements(jws)
  return [
    ...read(jws.header['adoTst'], 'content', signed.digestOf),
    ...elements.flatMap(({ value }, at) => [
      ...read(value['sigTst'], 'signature', overSignature),
      ...read(
        ...([value['arcTst'], 'archive'] as const),
        archiveDigest(jws, signed, elements.slice(0, at)),
        coveredIn(elements.slice(0, at)),
      ),
    ]),
  ].slice(0, MOST_TIMESTAMPS)
}

/** What the elements before an archive timestamp hold. */
function coveredIn(elements: readonly UnsignedElement[]): ReadonlySet<string> {
  const tokens = elements.flatMap(({ value }) =>
    [value['sigTst'], value['arcTst']].flatMap(tokensOf).map((der) => ({ der })),
  )
  return new Set([...valuesIn(elements).statements, ...tokens].map(fingerprintOf))
}

/** @see TS 119 182-1, 5.3.6.3.1: only where the elements are base64url, and need no canonical form */
function archiveDigest(
  { protectedText, signature }: JwsSignature,
  { octets }: SignedData,
  covered: readonly UnsignedElement[],
): DigestOf {
  return (hash) => {
    if (octets === null || covered.some(({ text }) => text === null)) return null
    const digest = createHash(hash).update(octets).update(`.${protectedText}.${signature}.`)
    for (const { text } of covered) digest.update(text ?? '')
    return digest.digest()
  }
}

function tokensOf(container: unknown): Buffer[] {
  if (container === undefined) return []
  return arrayOf(objectOf(container)['tstTokens']).map((token) => derOf(objectOf(token)))
}

function materialOf(jws: JwsSignature): Material {
  const { header, unprotected } = jws
  const certificates = [...certificatesIn(header['x5c']), ...certificatesIn(unprotected['x5c'])]
  return joinMaterial({ certificates, statements: [] }, valuesIn(unsignedElements(jws)))
}

function valuesIn(elements: readonly UnsignedElement[]): Material {
  const containers = elements.flatMap(({ value }) => [
    value,
    ...[value['tstVD'], value['anyValData']].filter((each) => each !== undefined).map(objectOf),
  ])
  return joinMaterial(...containers.map(validationValues))
}

/** `xVals` and `rVals`, also of attributes and timestamps. */
function validationValues(container: JsonObject): Material {
  const lists = (name: string) => {
    const list = container[name]
    return Array.isArray(list) ? (list as unknown[]).map(objectOf) : []
  }
  const certificates = [...lists('xVals'), ...lists('axVals')]
    .map((each) => each['x509Cert'])
    .filter((each) => each !== undefined)
    .map((each) => readCertificate(derOf(objectOf(each))))
  const revocations = [container['rVals'], container['arVals']]
    .filter((each) => each !== undefined)
    .map(objectOf)
  const ders = (name: string) =>
    revocations.flatMap((each) => {
      const list = each[name]
      return Array.isArray(list) ? (list as unknown[]).map((one) => derOf(objectOf(one))) : []
    })
  return {
    certificates: certificates.filter((each) => each !== null),
    statements: readStatements(ders('crlVals'), ders('ocspVals')),
  }
}

function certificatesIn(x5c: unknown): KnownCertificate[] {
  if (x5c === undefined) return []
  return arrayOf(x5c)
    .map((each) => readCertificate(Buffer.from(textOf(each), 'base64')))
    .filter((each) => each !== null)
}

function derOf({ val }: JsonObject): Buffer {
  return Buffer.from(textOf(val), 'base64')
}

function utf8(bytes: Buffer): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function objectOf(value: unknown): JsonObject {
  if (!isObject(value)) throw new Error('An object was expected')
  return value
}

function arrayOf(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Error('A list was expected')
  return value
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new Error('A text was expected')
  return value
}
