import type { PdfArray, PdfDict } from '@libpdf/core'
import { UnfitDocumentError } from '../../errors.js'
import { entry, isDict, type Kept, type PdfDocument } from './pdf-document.js'
import type { Form, SignatureField } from './signature-fields.js'

/** What somebody wants to add. */
export interface Intent {
  readonly certification: boolean
  /** Fully qualified. */
  readonly fieldName: string
  /** Whether the field is there already, and only to be filled. */
  readonly fieldExists: boolean
}

/** Holds an intent against all that the document and its earlier signatures allow. */
export function rejectForbidden(document: PdfDocument, form: Form, intent: Intent): void {
  rejectXfa(document, form)
  rejectWithoutPermission(document, intent)
  const signed = form.signatureFields.filter(({ signature }) => signature !== null)
  if (intent.certification) rejectLateCertification(document, signed)
  rejectFinal(document, signed)
  rejectLockedField(document, signed, intent)
}

/** What such a document shows is made by scripts from data outside its pages. */
function rejectXfa(document: PdfDocument, form: Form): void {
  const { object: catalog } = document.catalog
  const needsRendering = document.lookUp(catalog, 'NeedsRendering')
  const isDynamic = needsRendering?.type === 'bool' && needsRendering.value
  const hasXfa = form.dict !== null && entry(form.dict.object, 'XFA') !== undefined
  if (isDynamic || (hasXfa && form.names.size === 0)) {
    throw new UnfitDocumentError('The PDF is an XFA form, whose look does not stand in the file')
  }
}

/** @see ISO 32000-1, table 22: filling in a field takes bit 6 or 9, making one bits 4 and 6 */
function rejectWithoutPermission(document: PdfDocument, { fieldExists }: Intent): void {
  const { modify, annotate, fillForms } = document.pdf.getPermissions()
  const isAllowed = fieldExists ? annotate || fillForms : modify && annotate
  if (!isAllowed) {
    throw new UnfitDocumentError('The PDF is protected against changes, signatures among them')
  }
}

/** @see ISO 32000-1, 12.8.1: the certification is the first of all signatures */
function rejectLateCertification(document: PdfDocument, signed: readonly SignatureField[]): void {
  if (certification(document, signed)) {
    throw new UnfitDocumentError('The PDF is certified already; it can be signed as Revision')
  }
  if (signed.length > 0) {
    throw new UnfitDocumentError(
      'The PDF is signed already, and only a first signature can certify it; it can be signed as Revision',
    )
  }
}

/** `P` of DocMDP. @see ISO 32000-1, table 254 */
export const NO_CHANGES = 1
/** Where a certification does not say. @see ISO 32000-1, table 254 */
const FORMS_AND_SIGNATURES = 2

function rejectFinal(document: PdfDocument, signed: readonly SignatureField[]): void {
  const parameters = certification(document, signed)
  const certified = parameters && (document.numberIn(parameters, 'P') ?? FORMS_AND_SIGNATURES)
  if (certified !== null && certified <= NO_CHANGES) {
    throw new UnfitDocumentError('The PDF is certified as final: no further signature is allowed')
  }
  if (signed.some(({ field }) => lockOf(document, field)?.permission === NO_CHANGES)) {
    throw new UnfitDocumentError('An earlier signature locks the PDF: no further one is allowed')
  }
}

/** What signing a field is to lock, as whoever made the field wanted it. @see ISO 32000-2, table 237 */
export interface FieldLock {
  readonly action: string
  /** As they are in the document. */
  readonly fields: PdfArray | null
  /** Like `P` of DocMDP; null where nothing is said. */
  readonly permission: number | null
}

export function lockOf(document: PdfDocument, field: Kept<PdfDict>): FieldLock | null {
  const lock = document.dictIn(field, 'Lock')
  const action = lock && document.nameIn(lock.object, 'Action')
  if (!lock || !action) return null
  return {
    action,
    fields: document.arrayIn(lock, 'Fields')?.object ?? null,
    permission: document.numberIn(lock.object, 'P'),
  }
}

/** Transform parameters of the certification, whether or not the catalog knows of it. */
function certification(document: PdfDocument, signed: readonly SignatureField[]): PdfDict | null {
  const permissions = document.dictIn(document.catalog, 'Perms')
  const certifying = permissions ? document.lookUp(permissions.object, 'DocMDP') : undefined
  const signatures = signed.flatMap(({ signature }) => signature ?? [])
  const candidates = [...(isDict(certifying) ? [certifying] : []), ...signatures]
  const found = candidates.flatMap((signature) => transforms(document, signature, 'DocMDP'))
  return found[0] ?? null
}

/** Parameters of the transforms of one method. @see ISO 32000-1, table 253 */
function transforms(document: PdfDocument, signature: PdfDict, method: string): PdfDict[] {
  const holder = { object: signature, home: document.catalog.home }
  const references = document.dictsIn(holder, 'Reference')
  const ofMethod = references.filter(
    ({ object }) => document.nameIn(object, 'TransformMethod') === method,
  )
  return ofMethod.flatMap((one) => document.dictIn(one, 'TransformParams')?.object ?? [])
}

function rejectLockedField(
  document: PdfDocument,
  signed: readonly SignatureField[],
  { fieldName }: Intent,
): void {
  for (const { signature } of signed) {
    const locks = signature ? transforms(document, signature, 'FieldMDP') : []
    if (locks.some((lock) => covers(document, lock, fieldName))) {
      throw new UnfitDocumentError(
        `An earlier signature locks the field ${JSON.stringify(fieldName)}: it cannot be signed`,
      )
    }
  }
}

/** Whether a lock is on a field or on one above it. @see ISO 32000-1, table 256 */
function covers(document: PdfDocument, lock: PdfDict, fieldName: string): boolean {
  const action = document.nameIn(lock, 'Action')
  if (action === 'All') return true
  const fields = document.lookUp(lock, 'Fields')
  const names = fields?.type === 'array' ? [...fields].map((item) => document.resolve(item)) : []
  const isListed = names.some((item) => {
    const name = item?.type === 'string' ? item.asString() : null
    return name !== null && (fieldName === name || fieldName.startsWith(`${name}.`))
  })
  return action === 'Exclude' ? !isListed : isListed
}
