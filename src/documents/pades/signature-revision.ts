import {
  PdfArray,
  PdfDict,
  PdfName,
  PdfNumber,
  type PdfObject,
  type PdfRef,
  PdfString,
} from '@libpdf/core'
import { createHash } from 'node:crypto'
import { UnfitDocumentError } from '../../errors.js'
import type { HashName } from '../../keys/algorithms.js'
import type { ConformanceLevel } from '../ades.js'
import { drawLook, numbers, type Look } from './appearance.js'
import { boxOf, findPage, pageReference, placeOn, rotationOf, type Page } from './page.js'
import type { PdfAppearance } from './pdf-appearance.js'
import { setEntry, type Kept, type PdfDocument } from './pdf-document.js'
import { lockOf, NO_CHANGES, rejectForbidden, type FieldLock } from './restrictions.js'
import { Gap, Revision } from './revision.js'
import { rejectAgainstSeed, seedOf } from './seed-values.js'
import { readForm, type Form, type SignatureField } from './signature-fields.js'

/** What is to be said beside a signature. */
export interface SignatureDescription {
  readonly signingTime: Date
  readonly name: string | null
  readonly reason: string | null
  readonly location: string | null
  readonly contactInfo: string | null
}

export interface SignatureRequest {
  readonly certification: boolean
  readonly level: ConformanceLevel
  readonly appearance: PdfAppearance
  readonly description: SignatureDescription
  /** What is shown where a field with room of its own is signed and nobody says how. */
  readonly usualText: string
  readonly hash: HashName
  /** Bytes kept free for the signature. */
  readonly room: number
}

/** Something appended that waits for a signature over all but the place of that signature. */
export interface OpenRevision {
  readonly bytes: Buffer
  /** Where the hexadecimal digits of the signature go, counted in `bytes`. */
  readonly contents: { readonly start: number; readonly digits: number }
  /** Over the byte range. */
  readonly digest: Buffer
}

const FILTER = 'Adobe.PPKLite'
const SUB_FILTER = 'ETSI.CAdES.detached'

/** Appends a signature field with everything but the signature. */
export function signatureRevision(document: PdfDocument, request: SignatureRequest): OpenRevision {
  const form = readForm(document)
  const existing = chosenField(form, request.appearance)
  rejectForbidden(document, form, {
    certification: request.certification,
    fieldName: existing?.name ?? newName(form, request.appearance.fieldName),
    fieldExists: existing !== null,
  })
  const revision = new Revision(document)
  const gaps = new SignatureGaps(request.room)
  const lock = existing && lockOf(document, existing.field)
  const permission = existing && fieldPermission(document, existing, request, lock)
  const references = [
    ...(request.certification ? [certifying(permission)] : []),
    ...(lock ? [locking(document, lock)] : []),
  ]
  const signature = revision.add(signatureDictionary(request, gaps, references))
  if (existing) fillField(document, revision, { existing, signature, request })
  else addField(document, revision, { form, signature, request })
  if (request.certification) certify(document, revision, signature)
  return gaps.close(document.bytes, [], revision.write(document.bytes.length), request.hash)
}

/** Appends a document time-stamp with everything but the token. @see EN 319 142-1, 5.4.3 */
export function timestampRevision(
  document: PdfDocument,
  earlier: readonly Buffer[],
  { hash, room }: Pick<SignatureRequest, 'hash' | 'room'>,
): OpenRevision {
  const revision = new Revision(document)
  const gaps = new SignatureGaps(room)
  const signature = revision.add(
    PdfDict.of({
      Type: PdfName.of('DocTimeStamp'),
      Filter: PdfName.of(FILTER),
      SubFilter: PdfName.of('ETSI.RFC3161'),
      ByteRange: gaps.byteRange,
      Contents: gaps.contents,
    }),
  )
  const form = readForm(document)
  const page = findPage(document, 1)
  const widget = widgetOf(document, {
    page,
    box: NOWHERE,
    name: newName(form, undefined),
    signature,
  })
  joinForm(document, revision, { form, page, field: revision.add(widget) })
  const start = earlier.reduce((sum, { length }) => sum + length, document.bytes.length)
  return gaps.close(document.bytes, earlier, revision.write(start), hash)
}

const LARGEST_OFFSET_DIGITS = 10

/** The two entries of a signature dictionary that depend on where it comes to stand. */
class SignatureGaps {
  readonly byteRange: Gap
  readonly contents: Gap
  readonly #room: number

  constructor(room: number) {
    this.#room = room
    this.byteRange = new Gap(`[0 ${Array(3).fill(' '.repeat(LARGEST_OFFSET_DIGITS)).join(' ')}]`)
    this.contents = new Gap(`<${'0'.repeat(2 * room)}>`)
  }

  /** Writes the byte range, and hashes it. */
  close(
    document: Uint8Array,
    earlier: readonly Buffer[],
    bytes: Buffer,
    hash: HashName,
  ): OpenRevision {
    const start = earlier.reduce((sum, { length }) => sum + length, document.length)
    const [from, to] = [this.contents.start - start, this.contents.end - start]
    const range = [this.contents.start, this.contents.end, bytes.length - to]
    const text = `[0 ${range.map((one) => String(one).padEnd(LARGEST_OFFSET_DIGITS)).join(' ')}]`
    bytes.write(text, this.byteRange.start - start, 'latin1')
    const digest = createHash(hash).update(document)
    for (const part of earlier) digest.update(part)
    digest.update(bytes.subarray(0, from)).update(bytes.subarray(to))
    return {
      bytes,
      contents: { start: from + 1, digits: 2 * this.#room },
      digest: digest.digest(),
    }
  }
}

function chosenField(form: Form, { fieldName, rect, page }: PdfAppearance): SignatureField | null {
  if (fieldName === undefined || !form.names.has(fieldName)) return null
  const name = JSON.stringify(fieldName)
  const field = form.signatureFields.find((one) => one.name === fieldName)
  if (!field) throw new UnfitDocumentError(`The field ${name} is not for signatures`)
  if (field.signature) throw new UnfitDocumentError(`The field ${name} is signed already`)
  if (rect !== undefined || page !== undefined) {
    throw new UnfitDocumentError(`The field ${name} has its place in the PDF already`)
  }
  return field
}

const LONGEST_NAME = 200

/** @throws {UnfitDocumentError} when no field can have the name */
function newName(form: Form, wanted: string | undefined): string {
  if (wanted === undefined) {
    for (let number = 1; ; number++) {
      if (!form.names.has(`Signature${number}`)) return `Signature${number}`
    }
  }
  if (wanted === '' || wanted.includes('.') || wanted.length > LONGEST_NAME) {
    throw new UnfitDocumentError(
      'No new field can have that name: it is empty, too long, or has a full stop',
    )
  }
  return wanted
}

/** @see EN 319 142-1, 6.3 */
function signatureDictionary(
  { description }: SignatureRequest,
  gaps: SignatureGaps,
  references: readonly PdfDict[],
): PdfDict {
  const { signingTime, name, reason, location, contactInfo } = description
  const signature = PdfDict.of({
    Type: PdfName.of('Sig'),
    Filter: PdfName.of(FILTER),
    SubFilter: PdfName.of(SUB_FILTER),
    ByteRange: gaps.byteRange,
    Contents: gaps.contents,
    M: PdfString.fromString(dateText(signingTime)),
  })
  const texts = { Name: name, Reason: reason, Location: location, ContactInfo: contactInfo }
  for (const [key, text] of Object.entries(texts)) {
    if (text !== null) signature.set(key, PdfString.fromString(text))
  }
  if (references.length > 0) signature.set('Reference', new PdfArray([...references]))
  return signature
}

/** What a certification of ours still allows: filling in forms, and signing. */
const FORMS_AND_SIGNATURES = 2

function reference(method: string, entries: Record<string, PdfObject>): PdfDict {
  return PdfDict.of({
    Type: PdfName.of('SigRef'),
    TransformMethod: PdfName.of(method),
    TransformParams: PdfDict.of({
      Type: PdfName.of('TransformParams'),
      V: PdfName.of('1.2'),
      ...entries,
    }),
  })
}

/** @param permission what the field wants */
function certifying(permission: number | null): PdfDict {
  return reference('DocMDP', { P: PdfNumber.of(permission ?? FORMS_AND_SIGNATURES) })
}

/** What a signature in the field may still permit; null where its maker does not say. */
function fieldPermission(
  document: PdfDocument,
  { field }: SignatureField,
  { certification, level, hash, description: { reason } }: SignatureRequest,
  lock: FieldLock | null,
): number | null {
  const seed = seedOf(document, field)
  const seeded = certification ? (seed?.permission ?? FORMS_AND_SIGNATURES) : null
  const said = [seeded, lock?.permission ?? null].filter((one) => one !== null)
  const permission = said.length > 0 ? Math.min(...said) : null
  if (seed) {
    const locksDocument = permission === NO_CHANGES
    const choice = { filter: FILTER, subFilter: SUB_FILTER, hash, reason, certification, level }
    rejectAgainstSeed(document, seed, { ...choice, locksDocument })
  }
  return permission
}

/**
 * Has to name what is locked: all of the document (ISO 32000-1, table 253, Data). What a lock permits from now
 * on (ISO 32000-2, table 237) stands where Acrobat writes it and others look for it.
 */
function locking(document: PdfDocument, { action, fields, permission }: FieldLock): PdfDict {
  const entries = {
    Action: PdfName.of(action),
    ...(fields ? { Fields: fields } : {}),
    ...(permission === null ? {} : { P: PdfNumber.of(permission) }),
  }
  const transform = reference('FieldMDP', entries)
  transform.set('Data', document.catalog.home)
  return transform
}

/** @see ISO 32000-1, 7.9.4 */
function dateText(time: Date): string {
  return `D:${time.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`
}

interface Filling {
  readonly existing: SignatureField
  readonly signature: PdfRef
  readonly request: SignatureRequest
}

function fillField(
  document: PdfDocument,
  revision: Revision,
  { existing, signature, request }: Filling,
): void {
  const { field, widget } = existing
  const { appearance, usualText } = request
  setEntry(field.object, 'V', signature)
  revision.change(field.home)
  const look = lookOf(appearance)
  const box = boxOf(document.numbersIn(widget.object, 'Rect'))
  if (box) {
    const rotation = rotationOf(document, widget.object)
    const [width, height] = [box[2] - box[0], box[3] - box[1]]
    const isTurned = rotation === 90 || rotation === 270
    const area = isTurned ? { width: height, height: width } : { width, height }
    const known = knownBox(document, widget, area)
    const drawn = {
      look: look ?? { text: usualText, isUsual: true },
      ...area,
      rotation,
      box: known,
    }
    setEntry(widget.object, 'AP', PdfDict.of({ N: drawLook(document, revision, drawn) }))
    revision.change(widget.home)
  } else if (look) {
    throw new UnfitDocumentError(
      `The field ${JSON.stringify(existing.name)} has no room for an appearance`,
    )
  }
  const form = document.dictIn(document.catalog, 'AcroForm')
  if (form) flagSignatures(document, revision, form)
}

/**
 * The box of what the field showed so far, if it is of that size, whichever corner comes first: verifiers
 * compare, and take other numbers for a change nobody allowed.
 */
function knownBox(
  document: PdfDocument,
  widget: Kept<PdfDict>,
  { width, height }: { width: number; height: number },
): readonly number[] | undefined {
  const appearances = document.dictIn(widget, 'AP')
  const shown = appearances && document.lookUp(appearances.object, 'N')
  const numbers = shown instanceof PdfDict ? document.numbersIn(shown, 'BBox') : null
  const box = boxOf(numbers)
  const [left, bottom, right, top] = box ?? NOWHERE
  const isSame = left === 0 && bottom === 0 && right === width && top === height
  return isSame ? (numbers ?? undefined) : undefined
}

function lookOf({ text, fontSize, image }: PdfAppearance): Look | null {
  return text === undefined && image === undefined ? null : { text, fontSize, image }
}

interface Adding {
  readonly form: Form
  readonly signature: PdfRef
  readonly request: SignatureRequest
}

function addField(
  document: PdfDocument,
  revision: Revision,
  { form, signature, request: { appearance } }: Adding,
): void {
  const { rect } = appearance
  const look = lookOf(appearance)
  if (look && !rect)
    throw new UnfitDocumentError('An appearance needs a rectangle, or a field that has one')
  const page = findPage(document, appearance.page ?? 1)
  const box = rect ? placeOn(page, rect) : NOWHERE
  const name = newName(form, appearance.fieldName)
  const widget = widgetOf(document, { page, box, name, signature })
  // PDF/A-1 wants an appearance of what is not seen, too (ISO 19005-1, 6.9).
  const { width, height } = rect ?? { width: 0, height: 0 }
  const rotation = rect ? page.rotation : 0
  const drawn = { look: look ?? {}, width, height, rotation }
  widget.set('AP', PdfDict.of({ N: drawLook(document, revision, drawn) }))
  if (rotation !== 0) widget.set('MK', PdfDict.of({ R: PdfNumber.of(rotation) }))
  joinForm(document, revision, { form, page, field: revision.add(widget) })
}

type Box = readonly [number, number, number, number]

/** Of signatures nobody is to see. @see ISO 32000-1, 12.7.4.5 */
const NOWHERE: Box = [0, 0, 0, 0]
/** Print and Locked. @see ISO 32000-1, table 165 */
const WIDGET_FLAGS = 4 + 128

interface Widget {
  readonly page: Page
  readonly box: Box
  readonly name: string
  readonly signature: PdfRef
}

/** A signature field and its only widget in one. */
function widgetOf(document: PdfDocument, { page, box, name, signature }: Widget): PdfDict {
  return PdfDict.of({
    Type: PdfName.of('Annot'),
    Subtype: PdfName.of('Widget'),
    FT: PdfName.of('Sig'),
    T: PdfString.fromString(name),
    V: signature,
    F: PdfNumber.of(WIDGET_FLAGS),
    Rect: numbers(...box),
    P: pageReference(document, page),
  })
}

interface Joining {
  readonly form: Form
  readonly page: Page
  readonly field: PdfRef
}

/** Lists a new field where readers look for it: in the form, and on the page. */
function joinForm(document: PdfDocument, revision: Revision, { form, page, field }: Joining): void {
  append(document, revision, { to: page.dict, key: 'Annots', item: field })
  const known = form.dict
  if (known) {
    append(document, revision, { to: known, key: 'Fields', item: field })
    flagSignatures(document, revision, known)
    return
  }
  const made = PdfDict.of({
    Fields: PdfArray.of(field),
    SigFlags: PdfNumber.of(SIGNED_AND_APPEND_ONLY),
  })
  setEntry(document.catalog.object, 'AcroForm', revision.add(made))
  revision.change(document.catalog.home)
}

interface Appending {
  readonly to: Kept<PdfDict>
  readonly key: string
  readonly item: PdfRef
}

function append(document: PdfDocument, revision: Revision, { to, key, item }: Appending): void {
  const array = document.arrayIn(to, key)
  if (array) {
    array.object.push(item)
    revision.change(array.home)
  } else {
    setEntry(to.object, key, PdfArray.of(item))
    revision.change(to.home)
  }
}

/** SignaturesExist and AppendOnly. @see ISO 32000-1, table 219 */
const SIGNED_AND_APPEND_ONLY = 3

function flagSignatures(document: PdfDocument, revision: Revision, form: Kept<PdfDict>): void {
  const flags = document.numberIn(form.object, 'SigFlags') ?? 0
  if ((flags & SIGNED_AND_APPEND_ONLY) === SIGNED_AND_APPEND_ONLY) return
  setEntry(form.object, 'SigFlags', PdfNumber.of(flags | SIGNED_AND_APPEND_ONLY))
  revision.change(form.home)
}

/** @see ISO 32000-1, 12.8.4 */
function certify(document: PdfDocument, revision: Revision, signature: PdfRef): void {
  const permissions = document.dictIn(document.catalog, 'Perms')
  if (permissions) {
    setEntry(permissions.object, 'DocMDP', signature)
    revision.change(permissions.home)
    return
  }
  setEntry(document.catalog.object, 'Perms', PdfDict.of({ DocMDP: signature }))
  revision.change(document.catalog.home)
}
