import {
  newDocument,
  newDocuments,
  RSA_PSS,
  SHA256,
  SHA384,
  SIGNATURES,
  type Document,
} from '../algorithms.js'
import { verifyAdes, verifyInPlace, type Found } from '../ades-signature.js'
import { verifyContainer, type ContainerType } from '../asic-container.js'
import { choicesOf, type Choice, type KnownCredential } from '../credential-view.js'
import { KINDS, kindFor, newDocumentOf, type DocumentKind } from '../document-kinds.js'
import { stringsOf, type Answer, type Json } from '../exchange.js'
import {
  demand,
  EXPIRED_TOKEN,
  refused,
  refusedSomehow,
  same,
  succeeded,
  UNKNOWN_TOKEN,
} from '../expectations.js'
import { requirement, type Chapter } from '../requirement.js'
import { demandRevocationData } from '../revocation-data.js'
import type { Authorised, Subject } from '../subject.js'
import { approvedAs } from './oauth-details.js'
import { polled } from './signatures-other.js'

const DOC = { clause: 'CSC v2.0.0.2 §11.11' }
const SHOULD = { ...DOC, level: 'SHOULD' } as const
const FLAT = { clause: 'CSC v2.2.0.0 §11.14', level: 'SHOULD' } as const
const HASH_TYPES = { clause: 'CSC Data Model 1.0.0, documentInfo', level: 'SHOULD' } as const
const CONTAINERS = { clause: 'ETSI EN 319 162-1 §4.3, §4.4', level: 'SHOULD' } as const
const ASYNC = { clause: 'CSC v2.0.0.2 §8.5, §11.11' }

const missing = (name: string) => `Missing (or invalid type) string parameter ${name}`
const invalid = (name: string) => `Invalid parameter ${name}`
const NO_DIGESTS = 'Invalid object parameter documentDigests'
const NO_DOCUMENTS = 'Invalid array parameter documents'
const NOTHING = 'Empty documentDigests and documents objects'
const BAD_HASH = 'Invalid Base64 hashes string parameter'
const BAD_DOCUMENT = 'Invalid Base64 documents string parameter'
const BAD_LENGTH = 'Invalid digest value length'

/** A digest that was not agreed to: by a SAD, and by a credential token. */
const FOREIGN = {
  status: [400, 403],
  error: ['invalid_request', 'invalid_hash'],
  words: [
    'documentDigests or documents are not authorized by the SAD.',
    'Document or documentDigest does not match authroized hash',
  ],
}

type Words = string | readonly string[] | null

/** Members of the call. */
const CALL_ROWS: readonly [string, Json, Words][] = [
  ['neither documents nor digests', { documentDigests: undefined }, NOTHING],
  ['null for both', { documentDigests: null, documents: null }, NOTHING],
  ['an empty list of digests', { documentDigests: [] }, NOTHING],
  ['an empty list of documents', { documentDigests: undefined, documents: [] }, NOTHING],
  [
    'documents and digests together',
    { documents: [{ document: 'AAAA', signature_format: 'C', signAlgo: '1.2.840.10045.4.3.2' }] },
    'Both documentDigests and documents parameters passed',
  ],
  ['a text for documentDigests', { documentDigests: 'x' }, NO_DIGESTS],
  ['a list of texts for documentDigests', { documentDigests: ['x'] }, NO_DIGESTS],
  ['one object for documentDigests', { documentDigests: { hashes: ['AAAA'] } }, NO_DIGESTS],
  ['a text for documents', { documentDigests: undefined, documents: 'x' }, NO_DOCUMENTS],
  ['a list of texts for documents', { documentDigests: undefined, documents: ['x'] }, NO_DOCUMENTS],
  ['no credentialID', { credentialID: undefined }, missing('credentialID')],
  ['an empty credentialID', { credentialID: '' }, null],
  ['a number for credentialID', { credentialID: 1 }, missing('credentialID')],
  ['an unknown credentialID', { credentialID: 'nobody' }, invalid('credentialID')],
  ['a number for SAD', { SAD: 1 }, missing('SAD')],
  ['an unknown SAD', { SAD: 'nobody-has-this' }, invalid('SAD')],
  ['a number for clientData', { clientData: 1 }, invalid('clientData')],
  ['a number for signatureQualifier', { signatureQualifier: 1 }, null],
  ['a signatureQualifier of another credential', { signatureQualifier: 'xx_none_x' }, null],
  ['a text for returnValidationInfo', { returnValidationInfo: 'x' }, null],
  ['an unknown operationMode', { operationMode: 'X' }, invalid('operationMode')],
  ['a number for operationMode', { operationMode: 1 }, invalid('operationMode')],
]

/** The same where it works asynchronously. */
const LATER_ROWS: readonly [string, Json, Words][] = [
  ['a text for validity_period', { validity_period: 'x' }, invalid('validity_period')],
  [
    'a validity_period of a century',
    { validity_period: 3_155_760_000_000 },
    'Out of bounds parameter validity_period',
  ],
  ['a number for response_uri', { response_uri: 1 }, invalid('response_uri')],
  ['a response_uri without TLS', { response_uri: 'http://app.example/x' }, invalid('response_uri')],
  [
    'a response_uri of the machine itself',
    { response_uri: 'https://127.0.0.1:1/x' },
    invalid('response_uri'),
  ],
]

/** Members of every item, whatever is signed. */
const ITEM_ROWS: readonly [string, Json, Words][] = [
  ['no signAlgo', { signAlgo: undefined }, missing('signAlgo')],
  ['a number for signAlgo', { signAlgo: 1 }, missing('signAlgo')],
  ['an unknown signAlgo', { signAlgo: '1.2.3' }, invalid('signAlgo')],
  ['ECDSA with SHA-1', { signAlgo: '1.2.840.10045.4.1' }, invalid('signAlgo')],
  ['an unknown hashAlgorithmOID', { hashAlgorithmOID: '1.2.3' }, CONTRADICTION()],
  ['SHA-1', { hashAlgorithmOID: '1.3.14.3.2.26' }, CONTRADICTION()],
  ['no signature_format', { signature_format: undefined }, missing('signature_format')],
  ['a number for signature_format', { signature_format: 1 }, missing('signature_format')],
  ['an unknown signature_format', { signature_format: 'Z' }, invalid('signature_format')],
  ['a signature_format in words', { signature_format: 'PAdES' }, invalid('signature_format')],
  ['an unknown conformance_level', { conformance_level: 'AdES-Z' }, invalid('conformance_level')],
  ['a number for conformance_level', { conformance_level: 1 }, invalid('conformance_level')],
  ['a number for signAlgoParams', { signAlgoParams: 1 }, missing('signAlgoParams')],
  ['signed_props without a name', { signed_props: [{ attribute_value: 'AA==' }] }, null],
  ['a text among the signed_props', { signed_props: ['x'] }, null],
  [
    'an unknown signed_envelope_property',
    { signed_envelope_property: 'Sealed' },
    invalid('signed_envelope_property'),
  ],
  [
    'a number for signed_envelope_property',
    { signed_envelope_property: 1 },
    invalid('signed_envelope_property'),
  ],
]

const DIGEST_ROWS: readonly [string, Json, Words][] = [
  ['no hashes', { hashes: undefined }, [NO_DIGESTS, BAD_HASH]],
  ['an empty list of hashes', { hashes: [] }, [NO_DIGESTS, BAD_HASH]],
  ['a number for hashes', { hashes: 1 }, [NO_DIGESTS, BAD_HASH]],
  ['hashes that are no Base64', { hashes: ['*'] }, BAD_HASH],
  ['an empty hash', { hashes: [''] }, BAD_HASH],
  ['a number among the hashes', { hashes: [1] }, BAD_HASH],
  ['a short digest', { hashes: ['AAAA'] }, BAD_LENGTH],
  ['a long digest', { hashes: [Buffer.alloc(65).toString('base64')] }, BAD_LENGTH],
]

const DOCUMENT_ROWS: readonly [string, Json, Words][] = [
  ['no document', { document: undefined }, [NO_DOCUMENTS, BAD_DOCUMENT]],
  ['a number for a document', { document: 1 }, [NO_DOCUMENTS, BAD_DOCUMENT]],
  ['a document that is no Base64', { document: '*' }, BAD_DOCUMENT],
  ['an empty document', { document: '' }, [NO_DOCUMENTS, BAD_DOCUMENT]],
  ['a document with line breaks in it', { document: 'QUFB\nQUFB' }, BAD_DOCUMENT],
]

function CONTRADICTION(): readonly string[] {
  return [
    invalid('hashAlgorithmOID'),
    'String parameter hashAlgorithmOID contradicts with signAlgo parameter',
  ]
}

const FORMATS: Readonly<Record<string, { name: string; envelopes: readonly string[] }>> = {
  C: { name: 'CAdES', envelopes: ['Attached', 'Detached'] },
  X: { name: 'XAdES', envelopes: ['Enveloped', 'Enveloping', 'Detached'] },
  P: { name: 'PAdES', envelopes: ['Certification', 'Revision'] },
  J: { name: 'JAdES', envelopes: ['Attached', 'Detached'] },
}
/** Those that keep the signature apart from what is signed. */
const APART = 'Detached'

export const signDoc: Chapter = {
  name: 'signatures/signDoc',
  versions: ['v2'],
  method: 'signatures/signDoc',
  requirements: [
    requirement('refuses a call without a token', DOC, async (t) => {
      const answer = await t.call('signatures/signDoc', {})
      refused(answer, { words: 'Malformed authorization header.' })
    }),
    requirement('refuses an unknown token', DOC, async (t) => {
      const answer = await t.call('signatures/signDoc', {}, 'nobody-has-this')
      refused(answer, {
        ...{ status: 401, error: ['invalid_token', 'expired_token'] },
        words: [UNKNOWN_TOKEN, EXPIRED_TOKEN],
      })
    }),
    requirement(
      'refuses a call without SAD and with no more than a service token',
      DOC,
      async (t) => {
        const answer = await signDigest(t, { SAD: undefined }, {}, await t.serviceToken())
        refused(answer, { words: missing('SAD') })
      },
    ),
    ...CALL_ROWS.map(([what, changes, words]) =>
      requirement(`refuses ${what}`, DOC, async (t) => {
        refused(await signDigest(t, changes), { words })
      }),
    ),
    ...LATER_ROWS.map(([what, changes, words]) =>
      requirement(`refuses ${what}`, ASYNC, async (t) => {
        needsAsynchronous(t)
        refused(await signDigest(t, { operationMode: 'A', ...changes }), { words })
      }),
    ),
    ...ITEM_ROWS.flatMap(([what, changes, words]) => [
      requirement(`refuses ${what} of a digest`, DOC, async (t) => {
        refused(await signDigest(t, {}, changes), { words })
      }),
      requirement(`refuses ${what} of a document`, DOC, async (t) => {
        refused(await signDocument(t, changes), { words })
      }),
    ]),
    ...DIGEST_ROWS.map(([what, changes, words]) =>
      requirement(`refuses ${what}`, DOC, async (t) => {
        refused(await signDigest(t, {}, changes), { words })
      }),
    ),
    ...DOCUMENT_ROWS.map(([what, changes, words]) =>
      requirement(`refuses ${what}`, DOC, async (t) => {
        refused(await signDocument(t, changes), { words })
      }),
    ),
    requirement('refuses a wrong item behind a right one', DOC, async (t) => {
      const { document } = await spare(t)
      const items = [digestItem(t, await t.unspent(), document), { hashes: ['*'] }]
      refused(await signDigest(t, { documentDigests: items }), { words: null })
    }),
    requirement('refuses a signAlgo of another kind of key', DOC, async (t) => {
      const { credential } = await t.unspent()
      const family = credential.kind === 'ec' ? 'rsa' : 'ecdsa'
      const [signAlgo] =
        Object.entries(SIGNATURES).find(([, { family: of }]) => of === family) ?? []
      refused(await signDigest(t, {}, { signAlgo }), { words: invalid('signAlgo') })
    }),
    requirement('refuses a hashAlgorithmOID that contradicts signAlgo', DOC, async (t) => {
      const { documents } = await t.unspent()
      const other = documents[0]?.hash.oid === SHA384.oid ? SHA256 : SHA384
      const answer = await signDigest(t, {}, { hashAlgorithmOID: other.oid })
      refused(answer, { words: CONTRADICTION() })
    }),
    requirement('refuses RSASSA-PSS without signAlgoParams', DOC, async (t) => {
      const authorised = await t.unspent({ kind: 'rsa' })
      if (!authorised.credential.algos.includes(RSA_PSS)) t.notApplicable('no RSASSA-PSS')
      const algorithm = { signAlgo: RSA_PSS, signAlgoParams: undefined }
      const answer = await signDigest(t, {}, algorithm, undefined, authorised)
      refused(answer, { words: missing('signAlgoParams') })
    }),
    ...Object.entries(FORMATS).map(([format, { name }]) =>
      requirement(`refuses an envelope of another format with ${name}`, DOC, async (t) => {
        needsFormat(t, format)
        const signed_envelope_property = format === 'P' ? 'Enveloping' : 'Revision'
        const changes = { signature_format: format, signed_envelope_property }
        refused(await signDigest(t, {}, changes), { words: invalid('signed_envelope_property') })
      }),
    ),
    requirement('refuses to envelop what it has the digest of', SHOULD, async (t) => {
      needsFormat(t, 'X')
      const changes = { signature_format: 'X', signed_envelope_property: 'Enveloped' }
      refused(await signDigest(t, {}, changes), { words: invalid('signed_envelope_property') })
    }),
    requirement('refuses properties it does not know, and names them', SHOULD, async (t) => {
      const signed_props = [{ attribute_name: 'favourite-colour', attribute_value: 'Ymx1ZQ==' }]
      const words = 'Invalid parameter signed_props (favourite-colour)'
      refused(await signDigest(t, {}, { signed_props }), { words })
    }),
    requirement('refuses a text for signed_props', SHOULD, async (t) => {
      refused(await signDigest(t, {}, { signed_props: 'x' }), { words: null })
    }),
    requirement('refuses an item with a document and hashes', FLAT, async (t) => {
      const hashes = [newDocument().base64]
      refused(await signDocument(t, { hashes }), { words: null })
    }),
    requirement('refuses an item with nothing to sign', FLAT, async (t) => {
      refused(await signDocument(t, { document: undefined, label: 'x' }), { words: null })
    }),
    requirement('refuses a digest that was not authorised', DOC, async (t) => {
      const { documents } = await t.unspent()
      const hashes = [newDocument(documents[0]?.hash).base64]
      refused(await signDigest(t, {}, { hashes }), FOREIGN)
    }),
    requirement('refuses a document whose digest was not authorised', DOC, async (t) => {
      refused(await signDocument(t, {}), FOREIGN)
    }),
    requirement('refuses a batch with one digest that was not authorised', DOC, async (t) => {
      const { documents } = await t.unspent()
      const foreign = newDocument(documents[0]?.hash).base64
      const hashes = [documents[0]?.base64, foreign]
      refused(await signDigest(t, {}, { hashes }), FOREIGN)
    }),
    requirement('refuses an authorised document with one byte more', DOC, async (t) => {
      needsFormat(t, 'C')
      const { documents } = await t.unspent()
      const bytes = Buffer.concat([documents[0]?.bytes ?? Buffer.alloc(0), Buffer.from(' ')])
      const changes = { document: bytes.toString('base64'), signature_format: 'C' }
      refused(await signDocument(t, changes), FOREIGN)
    }),
    ...Object.entries(FORMATS).flatMap(([format, { name, envelopes }]) => [
      ...envelopes.map((envelope) =>
        requirement(`signs a document with ${name}, ${envelope}`, DOC, async (t) => {
          needsEnvelope(t, format, envelope)
          const found = await signedDocument(t, format, { signed_envelope_property: envelope })
          same(found.holdsDocument, envelope !== APART, 'whether it holds the document')
        }),
      ),
      requirement(`signs a document with ${name} and no envelope named`, DOC, async (t) => {
        const { holdsDocument } = await signedDocument(t, format)
        demand(holdsDocument, 'the signature is apart from its document')
      }),
      requirement(`signs a digest with ${name}, apart from its document`, DOC, async (t) => {
        needsFormat(t, format)
        const { answer, authorised, document } = await signedDigest(t, { signature_format: format })
        const [signature = ''] = only(answer, 'SignatureObject')
        verifyAdes(format, signature, expected(authorised, document, true))
      }),
      requirement(`timestamps ${name} at AdES-B-T`, DOC, async (t) => {
        needsLevel(t, 'AdES-B-T')
        const { hasTimestamp } = await signedDocument(t, format, { conformance_level: 'AdES-B-T' })
        demand(hasTimestamp, 'there is no timestamp in it')
      }),
      ...['AdES-B-LT', 'AdES-B-LTA'].map((level) =>
        requirement(`signs ${name} at ${level}`, DOC, async (t) => {
          needsLevel(t, level)
          const found = await signedDocument(t, format, { conformance_level: level })
          demand(found.hasTimestamp, 'there is no timestamp in it')
          demand(found.hasRevocationData, 'there is neither an OCSP response nor a CRL in it')
          if (level === 'AdES-B-LTA') demand(found.hasArchiveTimestamp, 'nothing in it keeps it')
        }),
      ),
    ]),
    ...['Ades-B-B', 'AdES-B-B', 'ades-b-b', 'AdES-B'].map((level) =>
      requirement(`takes ${level} for the baseline level`, SHOULD, async (t) => {
        await signedDigest(t, { conformance_level: level })
      }),
    ),
    ...Object.entries({ P: 'Reason', X: 'SignerRoleV2' }).map(([format, attribute_name]) =>
      requirement(`refuses ${attribute_name} in another format`, SHOULD, async (t) => {
        const other = format === 'P' ? 'J' : 'P'
        needsFormat(t, other)
        const signed_props = [{ attribute_name, attribute_value: 'QUFB' }]
        const words = `Invalid parameter signed_props (${attribute_name})`
        refused(await signDigest(t, {}, { signature_format: other, signed_props }), { words })
      }),
    ),
    requirement('writes Reason and Location into a PDF', SHOULD, async (t) => {
      needsFormat(t, 'P')
      const { authorised, document } = await spare(t, 'P')
      const signed_props = [
        { attribute_name: 'Reason', attribute_value: Buffer.from('Agreed').toString('base64') },
        { attribute_name: 'Location', attribute_value: Buffer.from('Vilnius').toString('base64') },
      ]
      const item = documentItem(authorised, document, { signature_format: 'P', signed_props })
      const answer = await send(t, authorised, { documents: [item] })
      const [signed = ''] = only(answer, 'DocumentWithSignature')
      verifyAdes('P', signed, expected(authorised, document))
      const text = Buffer.from(signed, 'base64').toString('latin1')
      demand(/\/Reason\s*[(<]/.test(text), 'there is no Reason in it')
      demand(/\/Location\s*[(<]/.test(text), 'there is no Location in it')
    }),
    ...['AdES-B-B', 'AdES-B-T'].map((level) =>
      requirement(
        `signs a PDF that the application prepared, by digest, at ${level}`,
        DOC,
        async (t) => {
          needsFormat(t, 'P')
          needsLevel(t, level)
          const { authorised, document } = await spareOf(t, 'prepared pdf')
          const changes = { signature_format: 'P', conformance_level: level }
          const documentDigests = [{ ...digestItem(t, authorised, document), ...changes }]
          const [cms = ''] = only(await send(t, authorised, { documentDigests }), 'SignatureObject')
          const { hasTimestamp } = verifyInPlace(cms, expected(authorised, document))
          same(hasTimestamp, level !== 'AdES-B-B', 'whether it has a timestamp')
        },
      ),
    ),
    requirement('signs documents at several levels in one call', SHOULD, async (t) => {
      needsLevel(t, 'AdES-B-T')
      const [format = 'C'] = formatsOf(t)
      const [one, two] = await spares(t, [format, format])
      if (!one || !two) return
      const levels = ['AdES-B-T', 'AdES-B-B']
      const documents = [one, two].map(({ authorised, document }, index) => {
        const conformance_level = levels[index]
        return documentItem(authorised, document, { signature_format: format, conformance_level })
      })
      const signed = only(await send(t, one.authorised, { documents }), 'DocumentWithSignature')
      const found = [one, two].map(({ authorised, document }, index) => {
        return verifyAdes(format, signed[index] ?? '', expected(authorised, document))
      })
      same(
        found.map(({ hasTimestamp }) => hasTimestamp),
        [true, false],
        'whether they have timestamps',
      )
    }),
    ...['C', 'X'].flatMap((format) =>
      (['ASiC-S', 'ASiC-E'] as const).map((type) =>
        requirement(`signs a document with ${nameOf(format)} in ${type}`, CONTAINERS, async (t) => {
          needsContainer(t, format, type)
          const { authorised, document } = await spare(t, format)
          const changes = { signature_format: format, container: type }
          const documents = [documentItem(authorised, document, changes)]
          const answer = await send(t, authorised, { documents })
          const [container = ''] = only(answer, 'DocumentWithSignature')
          await verifyContainer(type, format, container, expected(authorised, document))
        }),
      ),
    ),
    requirement('refuses a container for a digest', CONTAINERS, async (t) => {
      needsContainer(t, 'C', 'ASiC-S')
      const changes = { signature_format: 'C', container: 'ASiC-S' }
      refused(await signDigest(t, {}, changes), { words: null })
    }),
    requirement('refuses an unknown container', CONTAINERS, async (t) => {
      needsContainer(t, 'C', 'ASiC-S')
      const changes = { signature_format: 'C', container: 'ASiC-Z' }
      refused(await signDocument(t, changes), { words: null })
    }),
    requirement('takes the baseline level when none is named', DOC, async (t) => {
      const [format = 'C'] = formatsOf(t)
      same((await signedDocument(t, format)).hasTimestamp, false, 'whether it has a timestamp')
    }),
    requirement('takes a text for hashes', SHOULD, async (t) => {
      const { authorised, document } = await spare(t)
      const item = { ...digestItem(t, authorised, document), hashes: document.base64 }
      same(
        only(await send(t, authorised, { documentDigests: [item] }), 'SignatureObject').length,
        1,
        'signatures',
      )
    }),
    requirement('signs several digests of one item in their order', DOC, async (t) => {
      const [one, two] = await spares(t, [undefined, undefined])
      if (!one || !two) return
      const hashes = [two, one].map(({ document }) => document.base64)
      const item = { ...digestItem(t, one.authorised, one.document), hashes }
      const answer = await send(t, one.authorised, { documentDigests: [item] })
      inOrder(t, only(answer, 'SignatureObject'), [two, one])
    }),
    requirement('signs several items in their order', DOC, async (t) => {
      const [one, two] = await spares(t, [undefined, undefined])
      if (!one || !two) return
      const documentDigests = [two, one].map(({ authorised, document }) =>
        digestItem(t, authorised, document),
      )
      const answer = await send(t, one.authorised, { documentDigests })
      inOrder(t, only(answer, 'SignatureObject'), [two, one])
    }),
    requirement('signs documents in several formats in one call', SHOULD, async (t) => {
      const formats = formatsOf(t)
      if (formats.length < 2) t.notApplicable('one format only')
      const { allowMix } = t.info.object('signature_formats')
      if (allowMix === false) t.notApplicable('allowMix is false')
      const [one, two] = await spares(t, formats.slice(0, 2))
      if (!one || !two) return
      const documents = [one, two].map(({ authorised, document }, index) =>
        documentItem(authorised, document, { signature_format: formats[index] }),
      )
      const answer = await send(t, one.authorised, { documents })
      const signed = stringsOf(answer.json ?? {}, 'DocumentWithSignature')
      same(signed.length, 2, 'number of documents')
      ;[one, two].forEach(({ authorised, document }, index) => {
        verifyAdes(formats[index] ?? '', signed[index] ?? '', expected(authorised, document))
      })
    }),
    requirement('signs each item with its own signAlgo', DOC, async (t) => {
      const credential = await t.preferred({ kind: 'rsa', multisign: 2 })
      const [plain, pss] = [choicesOf(credential)[0], pssOf(credential)]
      if (!plain || !pss) return t.notApplicable('no RSASSA-PSS with the same hash')
      const documents = newDocuments(2, plain.hash)
      const authorised = await t.authorise(credential, documents)
      const algorithms = [pss.algorithm, plain.algorithm]
      const documentDigests = documents.map((document, index) => ({
        ...digestItem(t, authorised, document),
        ...algorithms[index],
      }))
      const answer = await send(t, authorised, { documentDigests }, 2)
      const signatures = only(answer, 'SignatureObject')
      same(signatures.length, 2, 'number of signatures')
      const [format = ''] = formatsOf(t)
      documents.forEach((document, index) => {
        const signed = { ...authorised, algorithm: algorithms[index] ?? plain.algorithm }
        verifyAdes(format, signatures[index] ?? '', expected(signed, document, true))
      })
    }),
    requirement('takes clientData', DOC, async (t) => {
      const { authorised, document } = await spare(t)
      const documentDigests = [digestItem(t, authorised, document)]
      succeeded(await send(t, authorised, { documentDigests, clientData: 'order 17' }))
    }),
    requirement('takes members it does not know', SHOULD, async (t) => {
      const { authorised, document } = await spare(t)
      const documentDigests = [digestItem(t, authorised, document)]
      succeeded(await send(t, authorised, { documentDigests, unknownMember: true }))
    }),
    requirement('takes label and referenceUri of an item', FLAT, async (t) => {
      await signedDigest(t, { label: 'Contract', referenceUri: 'https://docs.example/1' })
    }),
    requirement('answers signatures alone, and no document, for digests', DOC, async (t) => {
      const { answer } = await signedDigest(t)
      same(answer.has('DocumentWithSignature'), false, 'DocumentWithSignature')
      same(answer.has('responseID'), false, 'responseID')
    }),
    requirement('answers no validation data nobody asked for', SHOULD, async (t) => {
      same((await signedDigest(t)).answer.has('validationInfo'), false, 'validationInfo')
    }),
    requirement('returns validation data for a PDF by digest at AdES-B-LT', DOC, async (t) => {
      needsFormat(t, 'P')
      needsLevel(t, 'AdES-B-LT')
      const { authorised, document } = await spare(t)
      const changes = { signature_format: 'P', conformance_level: 'AdES-B-LT' }
      const documentDigests = [{ ...digestItem(t, authorised, document), ...changes }]
      const answer = await send(t, authorised, { documentDigests, returnValidationInfo: true })
      const { certificates } = authorised.credential
      await demandRevocationData(answer.object('validationInfo'), certificates)
    }),
    requirement('signs what was authorised once', DOC, async (t) => {
      const { authorised, document } = await spare(t)
      const documentDigests = [digestItem(t, authorised, document)]
      succeeded(await send(t, authorised, { documentDigests }))
      refusedSomehow(await send(t, authorised, { documentDigests }, 0))
    }),
    requirement('signs nothing of a batch with one foreign document', DOC, async (t) => {
      const { authorised, document } = await spare(t)
      const item = digestItem(t, authorised, document)
      const foreign = { ...item, hashes: [newDocument(document.hash).base64] }
      refused(await send(t, authorised, { documentDigests: [item, foreign] }, 0), FOREIGN)
      succeeded(await send(t, authorised, { documentDigests: [item] }))
    }),
    requirement('takes the credential token as SAD beside a service token', DOC, async (t) => {
      const { authorised, document } = await spare(t)
      if (authorised.SAD !== null) t.notApplicable('no credential token')
      const documentDigests = [digestItem(t, authorised, document)]
      const body = { SAD: authorised.bearer, documentDigests }
      succeeded(await send(t, { ...authorised, bearer: await t.serviceToken() }, body))
    }),
    requirement('needs no credentialID beside a signatureQualifier', SHOULD, async (t) => {
      const { authorised, document } = await spare(t)
      const signatureQualifier = authorised.credential.raw['signatureQualifier']
      if (typeof signatureQualifier !== 'string') t.notApplicable('no signatureQualifier')
      const documentDigests = [digestItem(t, authorised, document)]
      const body = { credentialID: undefined, signatureQualifier, documentDigests }
      succeeded(await send(t, authorised, body))
    }),
    requirement('refuses a token of another person', DOC, async (t) => {
      const { authorised, document } = await spare(t)
      const documentDigests = [digestItem(t, authorised, document)]
      const SAD = authorised.SAD ?? authorised.bearer
      const bearer = await t.serviceToken(t.otherSigner())
      refusedSomehow(await send(t, { ...authorised, bearer }, { SAD, documentDigests }, 0))
    }),
    requirement('refuses a token of another application', DOC, async (t) => {
      const { authorised, document } = await spare(t)
      const documentDigests = [digestItem(t, authorised, document)]
      const SAD = authorised.SAD ?? authorised.bearer
      const bearer = await t.serviceToken(0, t.otherClient())
      refusedSomehow(await send(t, { ...authorised, bearer }, { SAD, documentDigests }, 0))
    }),
    requirement(
      'answers a responseID in mode A, and what was signed to signPolling',
      ASYNC,
      async (t) => {
        needsAsynchronous(t)
        const { authorised, document } = await spare(t)
        const documentDigests = [digestItem(t, authorised, document)]
        const answer = succeeded(await send(t, authorised, { documentDigests, operationMode: 'A' }))
        same(answer.has('SignatureObject'), false, 'SignatureObject')
        const result = await polled(t, answer.string('responseID'), await t.serviceToken())
        const [signature = ''] = only(result, 'SignatureObject')
        verifyAdes(formatsOf(t)[0] ?? '', signature, expected(authorised, document, true))
      },
    ),
    requirement('answers a signed document to signPolling', ASYNC, async (t) => {
      needsAsynchronous(t)
      const [format = 'C'] = formatsOf(t)
      const { authorised, document } = await spare(t, format)
      const documents = [documentItem(authorised, document, { signature_format: format })]
      const answer = succeeded(await send(t, authorised, { documents, operationMode: 'A' }))
      const result = await polled(t, answer.string('responseID'), await t.serviceToken())
      const [signed = ''] = only(result, 'DocumentWithSignature')
      verifyAdes(format, signed, expected(authorised, document))
    }),
    requirement('signs the digest that was approved as sdr', HASH_TYPES, async (t) => {
      const { authorised, document } = await agreedAs(t, 'sdr')
      const documentDigests = [digestItem(t, authorised, document)]
      succeeded(await send(t, authorised, { documentDigests }))
    }),
    requirement(
      'signs no document by a digest that was approved as dtbsr',
      HASH_TYPES,
      async (t) => {
        const { authorised, document } = await agreedAs(t, 'dtbsr')
        const documentDigests = [digestItem(t, authorised, document)]
        refusedSomehow(await send(t, authorised, { documentDigests }, 0))
      },
    ),
    requirement('signs no hash that was approved as sdr', HASH_TYPES, async (t) => {
      const { authorised } = await agreedAs(t, 'sdr')
      refusedSomehow(await t.sign(authorised))
    }),
    requirement('has formats in info, and envelopes for each', DOC, (t) => {
      const formats = formatsOf(t)
      same(formats, [...new Set(formats)], 'formats')
      formats.forEach((format) => {
        demand(envelopesOf(t, format).length > 0, `no envelope for ${format}`)
      })
    }),
    requirement('has the baseline level in info', DOC, (t) => {
      demand(levelsOf(t).includes('ADES-B-B'), 'conformance_levels is without AdES-B-B')
    }),
    requirement('has levels in info that build on each other', SHOULD, (t) => {
      const levels = levelsOf(t)
      const known = ['ADES-B-B', 'ADES-B-T', 'ADES-B-LT', 'ADES-B-LTA']
      const highest = Math.max(...levels.map((level) => known.indexOf(level)))
      same(
        known.slice(0, highest + 1).filter((level) => !levels.includes(level)),
        [],
        'left out',
      )
    }),
    requirement('has validationInfo in info as a boolean', DOC, (t) => {
      same(typeof t.info.get('validationInfo'), 'boolean', 'type of validationInfo')
    }),
    requirement('has a hash type of documents in info from v2.1 on', HASH_TYPES, (t) => {
      if (t.info.string('specs').startsWith('2.0')) t.notApplicable('an earlier edition')
      const types = t.info.strings('supportedHashTypes').map((each) => each.toLowerCase())
      demand(types.includes('sdr') || types.includes('sodr'), `there are ${types.join(', ')}`)
    }),
  ],
}

/** A document that was agreed to and not signed yet. */
interface Spare {
  readonly authorised: Authorised
  readonly document: Document
}

/** Documents of one approval, which are signed by one case each. */
interface Pool {
  readonly authorised: Authorised
  readonly left: Record<DocumentKind, Document[]>
}
const POOL_SECONDS = 150
const MOST_TOGETHER = 24

/** @param format for which the document has to be of the right kind; absent where its digest will do */
async function spare(t: Subject, format?: string): Promise<Spare> {
  const [found] = await spares(t, [format])
  if (!found) t.skip('no document to sign')
  return found
}

async function spareOf(t: Subject, kind: DocumentKind): Promise<Spare> {
  const [found] = await spares(t, [undefined], kind)
  if (!found) t.skip('no document to sign')
  return found
}

/** Of one approval. @param kind of those whose format is absent; any when absent, too */
async function spares(
  t: Subject,
  formats: readonly (string | undefined)[],
  wanted?: DocumentKind,
): Promise<Spare[]> {
  for (let tries = 0; tries < 2; tries += 1) {
    const { authorised, left } = await poolOf(t)
    const found = formats.flatMap((format) => {
      const most = KINDS.toSorted((one, other) => left[other].length - left[one].length)
      const [any = 'text'] = most
      const kind = format === undefined ? (wanted ?? any) : kindFor(format)
      const document = left[kind].shift()
      return document ? [{ authorised, document }] : []
    })
    const isEnough = found.length === formats.length
    if (!isEnough || authorised.SAD !== null) t.forget('documents to sign')
    if (isEnough) return found
  }
  return t.skip('no approval is for as many documents')
}

/** Of a SAD for one call alone, of a credential token for many. */
function poolOf(t: Subject): Promise<Pool> {
  return t.kept('documents to sign', POOL_SECONDS, async () => {
    const credential = await t.preferred({})
    const [{ hash } = newDocument()] = t.documentsFor(credential)
    const rounds = Math.floor(Math.min(MOST_TOGETHER, credential.multisign) / KINDS.length)
    const kinds =
      rounds < 1 || credential.mode === 'explicit'
        ? []
        : Array<DocumentKind[]>(rounds)
            .fill([...KINDS])
            .flat()
    const twoOfEach = [...KINDS, ...KINDS].slice(0, credential.multisign)
    const documents = (kinds.length > 0 ? kinds : twoOfEach).map((kind) =>
      newDocumentOf(kind, hash),
    )
    const authorised = await t.authorise(credential, documents)
    const left: Pool['left'] = { text: [], xml: [], pdf: [], 'prepared pdf': [] }
    documents.forEach((document, index) =>
      left[KINDS[index % KINDS.length] ?? 'text'].push(document),
    )
    return { authorised, left }
  })
}

/** With the hash that the credential signs by preference. */
function pssOf(credential: KnownCredential): Choice | undefined {
  const [preferred, ...others] = choicesOf(credential)
  return others.find(
    ({ algorithm, hash }) => algorithm.signAlgo === RSA_PSS && hash.oid === preferred?.hash.oid,
  )
}

async function agreedAs(t: Subject, hashType: string): Promise<Spare> {
  if (t.info.get('supportsRar') !== true) t.notApplicable('no authorization_details')
  const types = t.info.strings('supportedHashTypes').map((each) => each.toLowerCase())
  if (!types.includes(hashType)) t.notApplicable(`no hash type ${hashType}`)
  const credential = await t.credential({ mode: 'oauth2code' })
  const [document = newDocument()] = t.documentsFor(credential)
  return { authorised: await approvedAs(t, hashType, credential, document), document }
}

function expected({ credential, algorithm }: Authorised, document: Document, byDigest = false) {
  const [certificate] = credential.certificates
  demand(certificate !== undefined, 'credentials/info has no certificate for the credential')
  return { document, certificate, algorithm, byDigest }
}

/** Signs a document of the format's kind, and verifies what came. */
async function signedDocument(t: Subject, format: string, changes: Json = {}): Promise<Found> {
  needsFormat(t, format)
  const { authorised, document } = await spare(t, format)
  const item = documentItem(authorised, document, { signature_format: format, ...changes })
  const answer = await send(t, authorised, { documents: [item] })
  const name = answer.has('DocumentWithSignature') ? 'DocumentWithSignature' : 'SignatureObject'
  const [signed = ''] = only(answer, name)
  const found = verifyAdes(format, signed, expected(authorised, document))
  same(name === 'DocumentWithSignature', found.holdsDocument, 'whether it is among the documents')
  return found
}

async function signedDigest(t: Subject, changes: Json = {}) {
  const format = changes['signature_format'] as string | undefined
  const { authorised, document } = await spare(t)
  const documentDigests = [{ ...digestItem(t, authorised, document), ...changes }]
  const answer = await send(t, authorised, { documentDigests })
  const [signature = ''] = only(answer, 'SignatureObject')
  const signed = format ?? formatsOf(t)[0] ?? ''
  verifyAdes(signed, signature, expected(authorised, document, true))
  return { answer, authorised, document }
}

function only(answer: Answer, name: string): string[] {
  const signatures = stringsOf(succeeded(answer).json ?? {}, name)
  demand(signatures.length > 0, `${name} is empty`)
  return signatures
}

function inOrder(t: Subject, signatures: readonly string[], order: readonly Spare[]): void {
  same(signatures.length, order.length, 'number of signatures')
  const [format = ''] = formatsOf(t)
  order.forEach(({ authorised, document }, index) => {
    verifyAdes(format, signatures[index] ?? '', expected(authorised, document, true))
  })
}

function digestItem(t: Subject, { algorithm }: Authorised, document: Document): Json {
  const [format = 'C'] = formatsOf(t)
  return {
    hashes: [document.base64],
    hashAlgorithmOID: document.hash.oid,
    signature_format: format,
    ...algorithm,
  }
}

function documentItem({ algorithm }: Authorised, document: Document, changes: Json): Json {
  return {
    document: document.bytes.toString('base64'),
    hashAlgorithmOID: document.hash.oid,
    ...algorithm,
    ...changes,
  }
}

/** @param signatures that are asked for and may be made; 0 for what has to be refused */
async function send(
  t: Subject,
  authorised: Authorised,
  changes: Json,
  signatures = 1,
): Promise<Answer> {
  const { credential, SAD, bearer } = authorised
  const body = { credentialID: credential.id, ...(SAD === null ? {} : { SAD }), ...changes }
  const answer = await t.callToSign('signatures/signDoc', body, bearer)
  return signatures === 0 ? answer : succeeded(answer)
}

/** For what is refused: with the authorisation that no case uses up. */
async function signDigest(
  t: Subject,
  changes: Json,
  itemChanges: Json = {},
  bearer?: string,
  of?: Authorised,
): Promise<Answer> {
  const authorised = of ?? (await t.unspent())
  const [document = newDocument()] = authorised.documents
  const item = { ...digestItem(t, authorised, document), ...itemChanges }
  const SAD = authorised.SAD === null ? {} : { SAD: authorised.SAD }
  const body = {
    credentialID: authorised.credential.id,
    ...SAD,
    documentDigests: [item],
    ...changes,
  }
  return t.callToSign('signatures/signDoc', body, bearer ?? authorised.bearer)
}

/** The same with a document that nobody agreed to. */
async function signDocument(t: Subject, itemChanges: Json): Promise<Answer> {
  const authorised = await t.unspent()
  const format = formatsOf(t)[0] ?? 'C'
  const document = newDocumentOf(kindFor(format), authorised.documents[0]?.hash)
  const item = documentItem(authorised, document, { signature_format: format, ...itemChanges })
  return signDigest(t, { documentDigests: undefined, documents: [item] }, {}, undefined, authorised)
}

function formatsOf(t: Subject): string[] {
  return stringsOf(t.info.object('signature_formats'), 'formats')
}

function envelopesOf(t: Subject, format: string): string[] {
  const { envelope_properties: all = [] } = t.info.object('signature_formats') as {
    envelope_properties?: readonly (readonly string[])[]
  }
  return [...(all[formatsOf(t).indexOf(format)] ?? [])]
}

function levelsOf(t: Subject): string[] {
  return t.info.strings('conformance_levels').map((level) => level.toUpperCase())
}

function needsFormat(t: Subject, format: string): void {
  if (!formatsOf(t).includes(format)) t.notApplicable(`no format ${format}`)
}

function needsEnvelope(t: Subject, format: string, envelope: string): void {
  needsFormat(t, format)
  if (!envelopesOf(t, format).includes(envelope)) t.notApplicable(`no envelope ${envelope}`)
}

function needsContainer(t: Subject, format: string, type: ContainerType): void {
  needsFormat(t, format)
  const { containers = [] } = t.info.object('signature_formats') as {
    containers?: readonly (readonly string[])[]
  }
  const offered = containers[formatsOf(t).indexOf(format)] ?? []
  if (!offered.includes(type)) t.notApplicable(`no ${type}`)
}

function nameOf(format: string): string {
  return FORMATS[format]?.name ?? format
}

function needsLevel(t: Subject, level: string): void {
  if (!levelsOf(t).includes(level.toUpperCase())) t.notApplicable(`no level ${level}`)
}

function needsAsynchronous(t: Subject): void {
  if (t.info.get('asynchronousOperationMode') !== true) t.notApplicable('no asynchronous mode')
}
