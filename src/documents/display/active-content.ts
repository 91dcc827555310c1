import { PDF, PdfArray, PdfDict, PdfName, PdfRef, type PdfObject } from '@libpdf/core'

/** What a document does besides being looked at, or shows elsewhere and not here. */
export type ActiveContent =
  | 'javascript'
  | 'launch'
  | 'submission'
  | 'embedded-files'
  | 'multimedia'
  | 'dynamic-form'
  | 'external-content'
  | 'layers'
  /** It could not be looked through. */
  | 'unexamined'

/** By type of action (ISO 32000-1, 12.6.4) or of annotation (12.5.6). */
const BY_NAME: Readonly<Partial<Record<string, ActiveContent>>> = {
  JavaScript: 'javascript',
  Launch: 'launch',
  SubmitForm: 'submission',
  ImportData: 'submission',
  Rendition: 'multimedia',
  Movie: 'multimedia',
  Sound: 'multimedia',
  RichMediaExecute: 'multimedia',
  RichMedia: 'multimedia',
  '3D': 'multimedia',
}

/** By a member that nothing else has. */
const BY_MEMBER: Readonly<Partial<Record<string, ActiveContent>>> = {
  JS: 'javascript',
  JavaScript: 'javascript',
  EmbeddedFiles: 'embedded-files',
  EF: 'embedded-files',
  XFA: 'dynamic-form',
  OCProperties: 'layers',
}

const MOST_OBJECTS = 200_000

/** Looks through all that the catalog leads to. */
export async function activeContent(content: Uint8Array): Promise<ActiveContent[]> {
  const found = new Set<ActiveContent>()
  try {
    const pdf = await PDF.load(content)
    lookThrough(pdf, found)
  } catch {
    found.add('unexamined')
  }
  return [...found]
}

function lookThrough(pdf: PDF, found: Set<ActiveContent>): void {
  const seen = new Set<string>()
  const waiting: PdfObject[] = [pdf.getCatalog()]
  for (let objects = 0; waiting.length > 0; objects += 1) {
    if (objects > MOST_OBJECTS) throw new Error('Too many objects')
    const object = waiting.pop()
    if (object instanceof PdfRef) {
      const key = `${object.objectNumber} ${object.generation}`
      if (seen.has(key)) continue
      seen.add(key)
      const target = pdf.getObject(object)
      if (target) waiting.push(target)
    } else if (object instanceof PdfArray) {
      waiting.push(...object)
    } else if (object instanceof PdfDict) {
      lookAt(object, found)
      for (const [, value] of object) waiting.push(value)
    }
  }
}

function lookAt(object: PdfDict, found: Set<ActiveContent>): void {
  for (const member of ['S', 'Subtype']) {
    const name = object.get(member)
    const kind = name instanceof PdfName ? BY_NAME[name.value] : undefined
    if (kind) found.add(kind)
  }
  for (const [{ value }] of object) {
    const kind = BY_MEMBER[value]
    if (kind) found.add(kind)
  }
  // Content of a stream, or of a form, that is in another file (ISO 32000-1, 7.3.8 and 8.10.4).
  const isForm = object.get('Subtype') instanceof PdfName && object.has('Ref')
  if ((object.type === 'stream' && object.has('F')) || isForm) found.add('external-content')
}
