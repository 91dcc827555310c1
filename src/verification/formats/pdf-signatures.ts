import { PdfArray, PdfDict, PdfStream } from '@libpdf/core'
import { activeContent } from '../../documents/display/active-content.js'
import { entry, isDict, PdfDocument } from '../../documents/pades/pdf-document.js'
import { readForm, type SignatureField } from '../../documents/pades/signature-fields.js'
import { digestOfBytes, readSignedData } from '../../certificates/cms.js'
import {
  fingerprintOf,
  joinMaterial,
  NO_MATERIAL,
  readMaterial,
  type Material,
} from '../../certificates/material.js'
import {
  type Coverage,
  type DocumentChange,
  type SignatureEvidence,
  type TimestampEvidence,
} from '../evidence.js'
import { findingsOf, problem, remark, type Finding } from '../findings.js'
import { readTimestampToken, type TimestampToken } from '../../timestamping/timestamp-token.js'
import { isEnd, isRevision, signedBytes, type SignedBytes } from './byte-range.js'
import { cmsSignatures, imprintProblems } from './cms-signatures.js'
import { MOST_SIGNATURES, tooManySignatures, type DocumentReading } from './document-reading.js'
import { NO_REVISION } from '../messages.js'
import { changesBetween, type Change } from './pdf-changes.js'
import { repeatedKeys } from './pdf-repeated-keys.js'

/** A signed field and the bytes it is over. */
interface SignedField {
  readonly name: string
  readonly dict: PdfDict
  readonly byteRange: readonly number[]
  readonly bytes: SignedBytes | null
  /** What stood in the file when it was signed; null when that is no PDF by itself. */
  readonly revision: PdfDocument | null
  readonly permission: Permission
}

/** A document timestamp, and the field it stands in. */
interface Stamped {
  readonly field: SignedField
  readonly evidence: TimestampEvidence
}

interface Permission {
  /** P of DocMDP. */
  readonly level: 1 | 2 | 3 | null
  /** Whether FieldMDP locks a field. */
  readonly locks: (field: string) => boolean
}

/** @throws {UnfitDocumentError} when it is no PDF that can be read without guessing */
export async function readPdf(file: Buffer): Promise<DocumentReading> {
  const document = await PdfDocument.open(file)
  const form = readForm(document)
  const signed = form.signatureFields.filter(({ signature }) => signature !== null)
  const fields = await Promise.all(
    signed.slice(0, MOST_SIGNATURES).map((field) => readField(file, document, field)),
  )
  const store = readSecurityStore(document)
  const changes = new Revisions(file, document, fields)
  const timestamps = fields
    .filter(({ dict }) => isTimestamp(document, dict))
    .map((field) => ({ field, evidence: documentTimestamp(file, field, changes, store) }))
    .map((each, _, all) => withCovered(each, all))
  const signatures = fields
    .filter(({ dict }) => !isTimestamp(document, dict))
    .flatMap((field) => {
      const covering = timestamps.filter((each) => endOf(each.field) > endOf(field))
      return signatureEvidence(file, field, {
        ...{ document, changes, store },
        timestamps: covering.map(({ evidence }) => evidence),
      })
    })
  const empty = form.signatureFields.filter(({ signature }) => signature === null)
  return {
    format: 'PDF',
    signatures,
    timestamps: timestamps.map(({ evidence }) => evidence),
    material: joinMaterial(
      store,
      ...timestamps.map(({ evidence }) => evidence.token?.material ?? NO_MATERIAL),
    ),
    findings: [
      ...empty.map(({ name }) => remark('field-empty', name)),
      ...(signed.length > MOST_SIGNATURES ? [tooManySignatures(signed.length)] : []),
      ...(countOf(file, '/ByteRange') > signed.length ? [remark('signature-unreferenced')] : []),
      ...repeatedKeys(document).map((key) => remark('key-repeated', key)),
      ...(await lookFindings(file)),
    ],
  }
}

function endOf({ bytes }: SignedField): number {
  return bytes?.end ?? 0
}

function isTimestamp(document: PdfDocument, dict: PdfDict): boolean {
  return document.nameIn(dict, 'SubFilter') === 'ETSI.RFC3161'
}

async function readField(
  file: Buffer,
  document: PdfDocument,
  { name, signature }: SignatureField,
): Promise<SignedField> {
  const dict = signature ?? new PdfDict()
  const byteRange = document.numbersIn(dict, 'ByteRange') ?? []
  const bytes = signedBytes(file, byteRange)
  return {
    ...{ name, dict, byteRange, bytes },
    revision: bytes && (await openRevision(file, bytes.end)),
    permission: readPermission(document, dict),
  }
}

async function openRevision(file: Buffer, end: number): Promise<PdfDocument | null> {
  try {
    return await PdfDocument.open(file.subarray(0, end))
  } catch {
    return null
  }
}

/** What a signature allows to be changed after it. @see ISO 32000-2, 12.8.2 */
function readPermission(document: PdfDocument, dict: PdfDict): Permission {
  const references = document.lookUp(dict, 'Reference')
  const transforms = references instanceof PdfArray ? [...references] : []
  let level: Permission['level'] = null
  const locks: ((field: string) => boolean)[] = []
  for (const item of transforms) {
    const reference = document.resolve(item)
    if (!isDict(reference)) continue
    const method = document.nameIn(reference, 'TransformMethod')
    const found = document.lookUp(reference, 'TransformParams')
    const parameters = isDict(found) ? found : new PdfDict()
    const p = document.numberIn(parameters, 'P')
    if (method === 'DocMDP') level = p === 1 || p === 3 ? p : 2
    if (method === 'FieldMDP') {
      locks.push(fieldLock(document, parameters))
      if (p === 1 || p === 2 || p === 3) level = p
    }
  }
  return { level, locks: (field) => locks.some((lock) => lock(field)) }
}

function fieldLock(document: PdfDocument, parameters: PdfDict): (field: string) => boolean {
  const action = document.nameIn(parameters, 'Action')
  const listed = document.lookUp(parameters, 'Fields')
  const names = (listed instanceof PdfArray ? [...listed] : []).flatMap((item) => {
    const name = document.resolve(item)
    return name?.type === 'string' ? [name.asString()] : []
  })
  return (field) => {
    const isListed = names.some((name) => field === name || field.startsWith(`${name}.`))
    return action === 'All' || (action === 'Exclude' ? !isListed : isListed)
  }
}

/** The name, any letter of which may be written by its number. @see ISO 32000-1, 7.3.5 */
const XREF_STM = /\/(?:X|#58)(?:R|#52)(?:e|#65)(?:f|#66)(?:S|#53)(?:t|#74)(?:m|#6[dD])/

/** Changes from each signed revision to the next, and from the last to the end of the file. */
class Revisions {
  readonly #file: Buffer
  readonly #steps: readonly { readonly end: number; readonly changes: () => Change[] }[]

  constructor(file: Buffer, document: PdfDocument, fields: readonly SignedField[]) {
    this.#file = file
    const ends = new Map<number, PdfDocument>()
    for (const field of fields) if (field.revision) ends.set(endOf(field), field.revision)
    const sorted = [...ends].sort(([one], [other]) => one - other)
    this.#steps = sorted.map(([end, revision], at) => {
      const [nextEnd, next] = sorted[at + 1] ?? [file.length, document]
      let changes: Change[] | null = null
      return { end, changes: () => (changes ??= this.#between(revision, next, end, nextEnd)) }
    })
  }

  after(end: number): Change[] {
    return this.#steps.filter((step) => step.end >= end).flatMap((step) => step.changes())
  }

  #between(earlier: PdfDocument, later: PdfDocument, end: number, nextEnd: number): Change[] {
    if (isEnd(this.#file.subarray(0, nextEnd), end)) return []
    const added = this.#file.subarray(end, nextEnd)
    // Two sets of cross-references, for two kinds of readers.
    const twofold: Change[] = XREF_STM.test(added.toString('latin1'))
      ? [{ kind: 'other', about: 'XRefStm' }]
      : []
    // What no cross-reference leads to, a reader that repairs files finds all the same.
    const isWhole = isRevision(this.#file, end, nextEnd)
    const loose: Change[] = isWhole ? [] : [{ kind: 'other', about: NO_REVISION }]
    // Compared is what readers see that take the last of two values; others take the first.
    const ambiguous = repeatedKeys(later, end).map((key): Change => ({ kind: 'other', about: key }))
    return [...twofold, ...loose, ...ambiguous, ...changesBetween(earlier, later)]
  }
}

function coverageOf(
  file: Buffer,
  { byteRange, bytes, permission }: SignedField,
  changes: Revisions,
): Coverage {
  const found = bytes ? changes.after(bytes.end) : []
  return {
    byteRange,
    wholeDocument: bytes !== null && isEnd(file, bytes.end),
    permissions: permission.level,
    changes: found.map((each) => ({ ...each, allowed: isAllowed(each, permission) })),
  }
}

/** What proves, or is signed by somebody else, may always come after; see docs/verification.md for the rest. */
function isAllowed({ kind, about }: Change, { level, locks }: Permission): boolean {
  switch (kind) {
    case 'validation-data':
    case 'timestamp':
      return true
    case 'signature':
      return level !== 1
    case 'metadata':
      return level !== 1
    case 'form':
      return level !== 1 && !locks(about)
    case 'annotation':
      return level === 3
    case 'other':
      return false
  }
}

function coverageFindings({ changes }: Coverage): Finding[] {
  return changes.flatMap((change): Finding[] => {
    const about = `${change.kind}, ${change.about}`
    if (!change.allowed) {
      // Somebody's note on a document that nobody certified hides nothing that was signed.
      const sub = change.kind === 'annotation' ? 'SIG_CONSTRAINTS_FAILURE' : 'HASH_FAILURE'
      return [problem(sub, 'changed-after-signing', about)]
    }
    return isSilent(change) ? [] : [remark('added-after-signing', about)]
  })
}

function isSilent({ kind }: DocumentChange): boolean {
  return kind === 'validation-data' || kind === 'timestamp'
}

/** The signed bytes, and what is wrong with them. */
function rangeFindings(field: SignedField, document?: PdfDocument): Finding[] {
  if (field.bytes === null) {
    return [problem('FORMAT_FAILURE', 'byte-range-invalid', field.byteRange.join(' '))]
  }
  if (field.revision === null) {
    return [problem('FORMAT_FAILURE', 'revision-unreadable', `${field.bytes.end}`)]
  }
  const value = entry(field.dict, 'Contents')
  const isEncrypted = document?.pdf.isEncrypted === true
  const isSame = value?.type === 'string' && field.bytes.contents.equals(Buffer.from(value.bytes))
  return isSame || isEncrypted
    ? []
    : [problem('FORMAT_FAILURE', 'byte-range-invalid', field.byteRange.join(' '))]
}

const KINDS: Readonly<Partial<Record<string, 'PAdES' | 'PDF'>>> = {
  'ETSI.CAdES.detached': 'PAdES',
  'adbe.pkcs7.detached': 'PDF',
}

function signatureEvidence(
  file: Buffer,
  field: SignedField,
  context: {
    readonly document: PdfDocument
    readonly changes: Revisions
    readonly store: Material
    readonly timestamps: readonly TimestampEvidence[]
  },
): SignatureEvidence[] {
  const { document, changes, store, timestamps } = context
  const coverage = coverageOf(file, field, changes)
  const findings = [...rangeFindings(field, document), ...coverageFindings(coverage)]
  const subFilter = document.nameIn(field.dict, 'SubFilter') ?? '?'
  const kind = KINDS[subFilter]
  const nothing = {
    ...{ kind: 'PDF' as const, place: field.name, signer: null, method: null, hashes: [] },
    ...{ signingTime: pdfTime(document, field.dict), timestamps: [], material: store, coverage },
  }
  if (kind === undefined) {
    return [
      {
        ...nothing,
        findings: [...findings, problem('FORMAT_FAILURE', 'subfilter-unknown', subFilter)],
      },
    ]
  }
  if (field.bytes === null) return [{ ...nothing, findings }]
  const { signed, contents } = field.bytes
  try {
    const data = readSignedData(contents, true)
    const over = { digestOf: digestOfBytes(signed), content: signed }
    const evidence = cmsSignatures(data, over, {
      kinds: [kind, 'PDF'],
      place: field.name,
      certificates: store.certificates,
    })
    const malformed =
      evidence.length !== 1 || data.content !== null
        ? [problem('FORMAT_FAILURE', 'signature-unreadable', 'CMS')]
        : []
    if (evidence.length === 0) return [{ ...nothing, findings: [...findings, ...malformed] }]
    return evidence.map((each) => ({
      ...each,
      signingTime: each.signingTime ?? nothing.signingTime,
      findings: [...findings, ...malformed, ...each.findings],
      timestamps: [
        ...each.timestamps,
        ...timestamps.map((stamp) => overSignature(stamp, each, data.material)),
      ],
      material: joinMaterial(each.material, store, ...timestamps.map(materialOf)),
      coverage,
    }))
  } catch {
    const unreadable = problem('FORMAT_FAILURE', 'signature-unreadable', 'CMS')
    return [{ ...nothing, findings: [...findings, unreadable] }]
  }
}

function materialOf({ token }: TimestampEvidence): Material {
  return token?.material ?? NO_MATERIAL
}

function documentTimestamp(
  file: Buffer,
  field: SignedField,
  changes: Revisions,
  store: Material,
): TimestampEvidence {
  const coverage = coverageOf(file, field, changes)
  const findings = [
    ...rangeFindings(field),
    ...coverageFindings(coverage).filter(({ subIndication }) => subIndication !== null),
  ]
  let token: TimestampToken | null = null
  try {
    if (field.bytes) {
      token = readTimestampToken(field.bytes.contents, store.certificates, true)
      findings.push(
        ...findingsOf(token.flaws),
        ...imprintProblems(token, digestOfBytes(field.bytes.signed)),
      )
    }
  } catch {
    findings.push(problem('FORMAT_FAILURE', 'timestamp-unreadable'))
  }
  return { kind: 'document', token, findings }
}

/** A timestamp is over the DSS of its revision, and over the timestamps before. */
function withCovered(stamp: Stamped, all: readonly Stamped[]): Stamped {
  const { revision } = stamp.field
  const stored = revision ? readSecurityStore(revision).statements : []
  const earlier = all.filter((each) => endOf(each.field) < endOf(stamp.field))
  const tokens = earlier.flatMap(({ evidence }) => evidence.token ?? [])
  const covers = new Set([...stored, ...tokens].map(fingerprintOf))
  return { ...stamp, evidence: { ...stamp.evidence, covers } }
}

/** It is over all that an earlier signature brings along, too. */
function overSignature(
  stamp: TimestampEvidence,
  { timestamps }: SignatureEvidence,
  { statements }: Material,
): TimestampEvidence {
  const inside = [...statements, ...timestamps.flatMap(({ token }) => token ?? [])]
  return { ...stamp, covers: new Set([...(stamp.covers ?? []), ...inside.map(fingerprintOf)]) }
}

const MOST_STORED = 500

/** The DSS. Its VRI only sorts what is in it. @see EN 319 142-1, 5.4.2 */
function readSecurityStore(document: PdfDocument): Material {
  const store = document.lookUp(document.catalog.object, 'DSS')
  if (!isDict(store)) return NO_MATERIAL
  const streams = (key: string) => {
    const array = document.lookUp(store, key)
    const items = array instanceof PdfArray ? [...array].slice(0, MOST_STORED) : []
    return items.flatMap((item) => {
      const stream = document.resolve(item)
      return stream instanceof PdfStream ? [Buffer.from(stream.getDecodedData())] : []
    })
  }
  return readMaterial({
    certificates: streams('Certs'),
    crls: streams('CRLs'),
    ocspResponses: streams('OCSPs'),
  })
}

const PDF_DATE = /^D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([+-])(\d\d)'?(\d\d)?'?|Z)?/

/** M of the signature. @see ISO 32000-2, 7.9.4 */
function pdfTime(document: PdfDocument, dict: PdfDict): Date | null {
  const match = PDF_DATE.exec(document.textIn(dict, 'M') ?? '')
  if (!match) return null
  const [, year, month = '01', day = '01', hour = '00', minute = '00', second = '00'] = match
  const [sign, hours = '00', minutes = '00'] = match.slice(7)
  const zone = sign === undefined ? 'Z' : `${sign}${hours}:${minutes}`
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`)
  return Number.isNaN(time.getTime()) ? null : time
}

function countOf(file: Buffer, text: string): number {
  let count = 0
  for (let at = file.indexOf(text); at >= 0; at = file.indexOf(text, at + text.length)) count += 1
  return count
}

/** What lets a document show one thing today and another tomorrow. */
const CHANGEABLE: readonly string[] = [
  ...['javascript', 'dynamic-form', 'external-content', 'layers', 'unexamined'],
]

async function lookFindings(file: Buffer): Promise<Finding[]> {
  const active = await activeContent(file)
  const kinds = active.filter((each) => CHANGEABLE.includes(each))
  return kinds.map((each) => remark('look-can-change', each))
}
