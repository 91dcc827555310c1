import type { PdfDict } from '@libpdf/core'
import { entry, isDict, type Kept, type PdfDocument } from './pdf-document.js'

/** A signature field, signed or not. */
export interface SignatureField {
  /** Fully qualified. @see ISO 32000-1, 12.7.3.2 */
  readonly name: string
  readonly field: Kept<PdfDict>
  /** Its value: a signature or document time-stamp; null while it is empty. */
  readonly signature: PdfDict | null
  /** What is seen of it; the field itself more often than not. */
  readonly widget: Kept<PdfDict>
}

/** What the form of a document tells a signer. */
export interface Form {
  readonly dict: Kept<PdfDict> | null
  /** Of all fields, of whatever type. */
  readonly names: ReadonlySet<string>
  readonly signatureFields: readonly SignatureField[]
}

interface Inherited {
  readonly name: string
  readonly type: string | null
}

const NOTHING: Inherited = { name: '', type: null }

export function readForm(document: PdfDocument): Form {
  const dict = document.dictIn(document.catalog, 'AcroForm')
  const names = new Set<string>()
  const signatureFields: SignatureField[] = []
  const roots = dict ? document.dictsIn(dict, 'Fields') : []
  const below = (node: Kept<PdfDict>, from: Inherited): [Kept<PdfDict>[], Inherited] => [
    subfields(document, node),
    known(document, node.object, from),
  ]
  for (const [node, from] of document.walk(roots, NOTHING, below)) {
    const { name, type } = known(document, node.object, from)
    names.add(name)
    if (type === 'Sig') signatureFields.push(signatureField(document, name, node))
  }
  return { dict, names, signatureFields }
}

/** What a field is called and is, with what it has from those above it. */
function known(document: PdfDocument, field: PdfDict, from: Inherited): Inherited {
  const partial = document.textIn(field, 'T')
  const qualified = from.name === '' ? partial : `${from.name}.${partial}`
  return {
    name: partial === null ? from.name : (qualified ?? ''),
    type: document.nameIn(field, 'FT') ?? from.type,
  }
}

/** Children with a name are fields; the others are widgets of this one. */
function subfields(document: PdfDocument, field: Kept<PdfDict>): Kept<PdfDict>[] {
  return document.dictsIn(field, 'Kids').filter((kid) => entry(kid.object, 'T'))
}

function signatureField(document: PdfDocument, name: string, field: Kept<PdfDict>): SignatureField {
  const value = document.lookUp(field.object, 'V')
  const [kid] = document.dictsIn(field, 'Kids').filter(({ object }) => !entry(object, 'T'))
  return { name, field, signature: isDict(value) ? value : null, widget: kid ?? field }
}
