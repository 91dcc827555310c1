import { Type } from '@sinclair/typebox'
import { plainHttpsAddress } from '../../certificates/public-address.js'
import type { ConformanceLevel, SignedProperty } from '../../documents/ades.js'
import type { PdfAppearance } from '../../documents/pades/pdf-appearance.js'
import { CONTAINER_TYPES, type ContainerType } from '../../documents/asic/container-type.js'
import type { DocumentReference, DocumentReferences } from '../../documents/document-references.js'
import type { Documents } from '../../documents/documents.js'
import {
  envelopeFor,
  type DocumentContent,
  type DocumentRequest,
} from '../../documents/prepared-document.js'
import { InvalidParameterError, MissingParameterError, RefusedRequestError } from '../../errors.js'
import { decodedLength, LargeMember } from '../../http/large-members.js'
import { invalid, inWords, missing, type Refusal } from '../../http/refusals.js'
import {
  HASH_ALGORITHMS,
  hashAlgorithmByOid,
  rejectWrongDigestLength,
  signatureAlgorithm,
  type SignatureAlgorithm,
} from '../../keys/algorithms.js'
import { decodeBase64 } from '../../keys/base64.js'
import { validatorOf } from '../../validator.js'

/*
 * Items of `documentDigests` and `documents`. Each is read by its members: v2.2 has one kind of item, of
 * which those of v2.0 are a subset (CSC API v2, 11.11; CSC data model, signatureCreationRequest).
 */

const Text = (description: string) => Type.Optional(Type.Unknown({ description }))

/** Wrong members are told in words of their own, so that any type passes here. */
const ITEM = {
  signature_format: Text('C (CAdES), X (XAdES), P (PAdES) or J (JAdES).'),
  conformance_level: Text('AdES-B-B, the default, or one of `conformance_levels` of `info`.'),
  signed_envelope_property: Text('One of `envelope_properties` of `info` for the format.'),
  signed_props: Text(
    'Attributes to sign: objects with attribute_name and, unless the service computes it, attribute_value.',
  ),
  signAlgo: Text('OID, one of the key.algo of the credential.'),
  signAlgoParams: Text('Base64 DER.'),
  hashAlgorithmOID: Text('OID of the hash algorithm, unless signAlgo implies it.'),
  label: Text('What the application calls it.'),
  referenceUri: Text('What a detached signature calls the data it is over.'),
  circumstantialData: Text('Free data of the application.'),
}

const closed = { additionalProperties: false }
const Points = (description: string, minimum = 0) =>
  Type.Number({ minimum, maximum: 14_400, description })

/** An extension of ours: no edition of the specification says how a signature looks. */
const Appearance = Type.Object(
  {
    fieldName: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'An empty field, or a new one.' }),
    ),
    page: Type.Optional(Type.Integer({ minimum: 1, description: 'Page of a new field.' })),
    rect: Type.Optional(
      Type.Object(
        {
          x: Points('From the left edge of the page.'),
          y: Points('From its lower edge.'),
          width: Points('In points, 1/72 inch.', 1),
          height: Points('In points.', 1),
        },
        closed,
      ),
    ),
    text: Type.Optional(Type.String({ maxLength: 2000, description: 'With line feeds.' })),
    fontSize: Type.Optional(Type.Number({ minimum: 1, maximum: 144 })),
    image: Type.Optional(
      Type.String({ contentEncoding: 'base64', description: 'A PNG or JPEG file.' }),
    ),
  },
  closed,
)
const isAppearance = validatorOf(Appearance)

const UNFIT_DOCUMENTS = 'Invalid array parameter documents'
const UNFIT_DIGESTS = 'Invalid object parameter documentDigests'

export const DocumentDigests = Type.Optional(
  Type.Array(
    Type.Object({
      ...ITEM,
      hashes: Text('Digests of documents, Base64: an array, or one alone.'),
    }),
    { complaint: UNFIT_DIGESTS, description: 'Digests of documents to sign.' },
  ),
)

export const DocumentItems = Type.Optional(
  Type.Array(
    Type.Object({
      ...ITEM,
      document: Text('The document, Base64.'),
      href: Text('Where the document is instead, https, on a host that the operator allows.'),
      access: Text('How it is had from there: an object whose type is public.'),
      checksum: Text(
        'What it has to hash to: sha256- (or sha384-, sha512-) and Base64, or an object with algorithmOID and value.',
      ),
      documentType: Text('sod or sfd.'),
      container: Text(
        'ASiC-S or ASiC-E, our own extension: document and C or X signature come back as one archive.',
      ),
      appearance: Text(
        'Of a PDF: where the signature is seen, and what is seen of it (docs/signdoc.md).',
      ),
    }),
    { complaint: UNFIT_DOCUMENTS, description: 'Documents to sign.' },
  ),
)

const EMPTY = 'Empty documentDigests and documents objects'
const BOTH = 'Both documentDigests and documents parameters passed'
const BAD_HASH = 'Invalid Base64 hashes string parameter'
const BAD_DOCUMENT = 'Invalid Base64 documents string parameter'
const CONTRADICTION = 'String parameter hashAlgorithmOID contradicts with signAlgo parameter'

/** What is refused of items. */
export const UNFIT_ITEMS: readonly Refusal[] = [
  ...inWords(EMPTY, BOTH, BAD_HASH, BAD_DOCUMENT, CONTRADICTION),
  ...inWords('Invalid digest value length'),
  ...missing('string', 'signAlgo', 'signAlgoParams', 'hashAlgorithmOID', 'signature_format'),
  ...invalid('signAlgo', 'signAlgoParams', 'hashAlgorithmOID', 'signature_format'),
  ...invalid('conformance_level', 'signed_envelope_property', 'signed_props'),
  ...invalid(
    'label',
    'referenceUri',
    'circumstantialData',
    'documentType',
    'container',
    'appearance',
    'href',
    'access',
    'checksum',
  ),
]

type Item = Readonly<Record<string, unknown>>

/** All that one call asks for. */
export interface RequestedDocuments {
  /** In the order of the request: digests before documents, where both are there. */
  readonly requests: readonly DocumentRequest[]
  /** Of requests that name no other. */
  readonly algorithm: SignatureAlgorithm
}

/** What an application may ask for, and where documents are had from that it does not send. */
interface Allowed {
  readonly allowBoth: boolean
  readonly isDocumentHost: (host: string) => boolean
  readonly references: Pick<DocumentReferences, 'fetch'>
}

/**
 * @throws {RefusedRequestError} @throws {MissingParameterError} @throws {InvalidParameterError}
 * @throws {UnfitDocumentError} when one cannot be fetched
 */
export async function requestedDocuments(
  input: { readonly documentDigests?: readonly Item[]; readonly documents?: readonly Item[] },
  documents: Documents,
  { allowBoth, isDocumentHost, references }: Allowed,
): Promise<RequestedDocuments> {
  const digestItems = input.documentDigests ?? []
  const documentItems = input.documents ?? []
  if (digestItems.length + documentItems.length === 0) throw new RefusedRequestError(EMPTY)
  if (digestItems.length > 0 && documentItems.length > 0 && !allowBoth) {
    throw new RefusedRequestError(BOTH)
  }
  const contents = [
    ...digestItems.map((item) => ({ item, contents: contentsOf(item, UNFIT_DIGESTS) })),
    ...documentItems.map((item) => ({ item, contents: contentsOf(item, UNFIT_DOCUMENTS) })),
  ]
  const referenced = new Map<DocumentContent, DocumentReference>()
  for (const { item, contents: each } of contents) {
    const reference = referenceOf(item, isDocumentHost)
    const [content] = each
    if (reference && content) referenced.set(content, reference)
  }
  const algorithms = contents.map(({ item }) => algorithmOf(item))
  const [algorithm] = algorithms
  if (!algorithm) throw new RefusedRequestError(EMPTY)
  const requests: DocumentRequest[] = []
  for (const [index, { item, contents: each }] of contents.entries()) {
    const own = algorithms[index] ?? algorithm
    for (const content of each) {
      const request = await requestOf(item, content, documents)
      requests.push(isSame(own, algorithm) ? request : { ...request, algorithm: own })
    }
  }
  for (const { content, algorithm: own = algorithm } of requests) {
    if (content.digest) rejectWrongDigestLength(content.digest, own.hash)
  }
  return { requests: await withFetched(requests, referenced, references), algorithm }
}

/** Nobody is asked for documents of a request that is wrong. */
async function withFetched(
  requests: readonly DocumentRequest[],
  referenced: ReadonlyMap<DocumentContent, DocumentReference>,
  references: Pick<DocumentReferences, 'fetch'>,
): Promise<readonly DocumentRequest[]> {
  if (referenced.size === 0) return requests
  const fetched = await references.fetch([...referenced.values()])
  const documents = new Map([...referenced.keys()].map((content, at) => [content, fetched[at]]))
  return requests.map((request) => {
    const document = documents.get(request.content)
    return document ? { ...request, content: { document } } : request
  })
}

/** @param otherwise the words for an item that holds nothing to sign, or two things */
function contentsOf(item: Item, otherwise: string): DocumentContent[] {
  const { document, hashes } = item
  const given = ['document', 'hashes', 'href'].filter((name) => has(item, name))
  if (given.length !== 1) throw new RefusedRequestError(otherwise)
  // What it is will be known when it was fetched.
  if (has(item, 'href')) return [{ document: Buffer.alloc(0) }]
  if (has(item, 'document')) {
    const bytes = document instanceof LargeMember ? document.bytes : decodeDocument(document)
    if (!bytes || bytes.length === 0) throw new RefusedRequestError(BAD_DOCUMENT)
    return [{ document: bytes }]
  }
  const texts: readonly unknown[] = Array.isArray(hashes) ? hashes : [hashes]
  if (texts.length === 0) throw new RefusedRequestError(otherwise)
  return texts.map((text) => {
    const digest = typeof text === 'string' && text !== '' ? decodeBase64(text) : null
    if (!digest) throw new RefusedRequestError(BAD_HASH)
    return { digest }
  })
}

/** Where the document is, when it is not in the request (CSC data model, documentReference). */
function referenceOf(
  item: Item,
  isDocumentHost: (host: string) => boolean,
): DocumentReference | null {
  if (!has(item, 'href')) return null
  const href = plainHttpsAddress(item['href'])
  if (!href || !isDocumentHost(href.host)) throw new InvalidParameterError('href')
  const { access = null, checksum = null } = item
  // Others take secrets of the person or of the application, which have no business here.
  if (access !== null && (access as Item)['type'] !== 'public') {
    throw new InvalidParameterError('access')
  }
  return { href, checksum: checksum === null ? null : readChecksum(checksum) }
}

const CHECKSUM = /^(sha256|sha384|sha512)-(.*)$/i

/** As text with the name of the algorithm, or as an object with its OID. */
function readChecksum(checksum: unknown): NonNullable<DocumentReference['checksum']> {
  const refusal = new InvalidParameterError('checksum')
  const [, name = '', digits = ''] =
    CHECKSUM.exec(typeof checksum === 'string' ? checksum : '') ?? []
  const { algorithmOID, value: given } = Object(checksum) as Item
  const algorithm = Object.values(HASH_ALGORITHMS).find(
    (each) => each.name === name.toLowerCase() || each.oid === algorithmOID,
  )
  const text = name === '' ? given : digits
  const value = typeof text === 'string' ? decodeBase64(text) : null
  if (!algorithm || value?.length !== algorithm.bytes) throw refusal
  return { algorithm, value }
}

/** Either alphabet, padded or not; with another character in it there are fewer bytes than there should be. */
function decodeDocument(text: unknown): Buffer | null {
  if (typeof text !== 'string') return null
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === decodedLength(text) ? bytes : null
}

function algorithmOf(item: Item): SignatureAlgorithm {
  const signAlgo = textOf(item, 'signAlgo')
  if (signAlgo === null) throw new MissingParameterError('signAlgo', 'string')
  const signAlgoParams = textOf(item, 'signAlgoParams') ?? undefined
  const hashAlgorithmOID = textOf(item, 'hashAlgorithmOID') ?? undefined
  try {
    const algorithm = signatureAlgorithm({ signAlgo, signAlgoParams })
    rejectContradiction(algorithm, hashAlgorithmOID)
    return algorithm
  } catch (error) {
    const leavesItOpen =
      error instanceof MissingParameterError && error.parameter === 'hashAlgorithmOID'
    if (!leavesItOpen || hashAlgorithmOID === undefined) throw error
    return signatureAlgorithm({ signAlgo, hashAlgorithmOID })
  }
}

function rejectContradiction({ hash }: SignatureAlgorithm, oid: string | undefined): void {
  if (oid === undefined) return
  if (hashAlgorithmByOid(oid).oid !== hash.oid) throw new RefusedRequestError(CONTRADICTION)
}

function isSame(one: SignatureAlgorithm, other: SignatureAlgorithm): boolean {
  return one.scheme === other.scheme && one.hash.oid === other.hash.oid
}

async function requestOf(
  item: Item,
  content: DocumentContent,
  documents: Documents,
): Promise<DocumentRequest> {
  const name = textOf(item, 'signature_format')
  if (name === null) throw new MissingParameterError('signature_format', 'string')
  const known = await documents.format(name.toUpperCase())
  if (!known) throw new InvalidParameterError('signature_format')
  const container = containerOf(item, content)
  const format = container ? await documents.format(known.format, container) : known
  if (!format) throw new InvalidParameterError('container')
  for (const other of ['label', 'circumstantialData']) textOf(item, other, 'invalid')
  rejectUnknownType(textOf(item, 'documentType', 'invalid'))
  const referenceUri = textOf(item, 'referenceUri', 'invalid')
  if (referenceUri !== null && referenceUri.length > LONGEST_URI) {
    throw new InvalidParameterError('referenceUri')
  }
  const request = {
    format: format.format,
    level: levelOf(textOf(item, 'conformance_level', 'invalid'), documents),
    envelope: envelopeFor(format, content, textOf(item, 'signed_envelope_property', 'invalid')),
    signedProperties: signedPropertiesOf(item['signed_props']),
    referenceUri,
    ...(container && { container }),
    ...appearanceOf(item, format.format === 'P' && content.document !== undefined),
    content,
  }
  await documents.rejectUnfitProperties(request)
  return request
}

/** The signer's original document, or one that is formatted for signing: the same to every format. */
function rejectUnknownType(documentType: string | null): void {
  if (documentType !== null && !/^(sod|sfd)$/i.test(documentType)) {
    throw new InvalidParameterError('documentType')
  }
}

/** Who sends a digest has nothing to put into one. */
function containerOf(item: Item, { document }: DocumentContent): ContainerType | undefined {
  const text = textOf(item, 'container', 'invalid')
  if (text === null) return undefined
  const type = CONTAINER_TYPES.find((each) => each === text)
  if (!type || !document) throw new InvalidParameterError('container')
  return type
}

const LONGEST_URI = 2000
const LEVEL = /^ades-(?:b-?)?(b|t|lt|lta)$/i

/**
 * Baseline levels in every spelling that editions of the specification have (11.11, table and samples),
 * and without the second hyphen.
 */
function levelOf(text: string | null, documents: Documents): ConformanceLevel {
  const [, letter = ''] = LEVEL.exec(text ?? 'AdES-B-B') ?? []
  const level = `B-${letter.toUpperCase()}` as ConformanceLevel
  if (letter === '' || !documents.offers(level)) {
    throw new InvalidParameterError('conformance_level')
  }
  return level
}

const MOST_PROPERTIES = 50

function signedPropertiesOf(value: unknown): SignedProperty[] {
  if (value === undefined || value === null) return []
  const refusal = new InvalidParameterError('signed_props')
  if (!Array.isArray(value) || value.length > MOST_PROPERTIES) throw refusal
  return (value as unknown[]).map((each) => {
    if (typeof each !== 'object' || each === null) throw refusal
    const { attribute_name: name, attribute_value: given = null } = each as Item
    if (typeof name !== 'string' || name === '') throw refusal
    if (given !== null && typeof given !== 'string') throw refusal
    return { name, value: given }
  })
}

/** Only a PDF has any. */
function appearanceOf(
  { appearance = null }: Item,
  isPdf: boolean,
): { readonly appearance?: PdfAppearance } {
  if (appearance === null) return {}
  if (!isPdf || !isAppearance(appearance)) throw new InvalidParameterError('appearance')
  const { image, ...rest } = appearance
  if (image === undefined) return { appearance: rest }
  const bytes = decodeDocument(image)
  if (!bytes || bytes.length === 0) throw new InvalidParameterError('appearance')
  return { appearance: { ...rest, image: bytes } }
}

function has(item: Item, name: string): boolean {
  return item[name] !== undefined && item[name] !== null
}

/** Null for a member that is absent, which an empty one counts as. */
function textOf(item: Item, name: string, otherwise: 'missing' | 'invalid' = 'missing') {
  const value = item[name]
  if (value === undefined || value === null || value === '') return null
  if (typeof value === 'string') return value
  throw otherwise === 'missing'
    ? new MissingParameterError(name, 'string')
    : new InvalidParameterError(name)
}
