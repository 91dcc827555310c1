import { Type } from '@sinclair/typebox'
import { RefusedRequestError } from '../../errors.js'
import { LargeMember } from '../../http/large-members.js'
import { inWords, invalid } from '../../http/refusals.js'
import { HASH_ALGORITHMS } from '../../keys/algorithms.js'
import { decodeBase64 } from '../../keys/base64.js'
import { defineCscEndpoint } from '../services.js'

const NO_DOCUMENT = 'Missing (or invalid type) string parameter document'
const NOT_BASE64 = 'Invalid Base64 document string parameter'

/**
 * Leaves a document here for its signer to see before agreeing to its digest. An extension of ours: the CSC
 * API knows documents only where they are signed, after the signer has agreed.
 */
export const deposit = defineCscEndpoint({
  path: '/documents/deposit',
  summary: 'Leave a document for its signer to see before agreeing (extension)',
  scopes: ['service', 'client'],
  extension: true,
  takesDocuments: true,
  request: Type.Object({
    document: Type.Unknown({
      complaint: NO_DOCUMENT,
      contentEncoding: 'base64',
      description:
        'The whole document. PDF and text are shown to the signer; of others, name and size.',
    }),
    label: Type.Optional(
      Type.String({
        maxLength: 500,
        complaint: 'Invalid parameter label',
        description: 'What the signer knows the document by, such as the name of its file.',
      }),
    ),
  }),
  response: Type.Object({
    documentDigests: Type.Array(
      Type.Object({
        hashAlgorithmOID: Type.String({ description: 'OID of the hash algorithm.' }),
        hash: Type.String({ description: 'Digest of the document, Base64.' }),
      }),
      { description: 'Asked to agree to any of these, the signer is shown the document.' },
    ),
    expiresIn: Type.Integer({ description: 'Seconds until the document is forgotten.' }),
  }),
  refuses: [...invalid('document'), ...inWords(NOT_BASE64)],
  isOn: ({ config }) => config.deposits.allowed,

  async handle({ document, label }, { clientId, userId }, { deposits }) {
    if (!(document instanceof LargeMember) && typeof document !== 'string') {
      throw new RefusedRequestError(NO_DOCUMENT)
    }
    const content = document instanceof LargeMember ? document.bytes : decodeBase64(document)
    if (!content) throw new RefusedRequestError(NOT_BASE64)
    const added = await deposits.add({ clientId, userId, label: label ?? null, content })
    return {
      documentDigests: Object.values(HASH_ALGORITHMS).map(({ oid, name }) => {
        return { hashAlgorithmOID: oid, hash: added.digests[name].toString('base64') }
      }),
      expiresIn: added.expiresIn,
    }
  },
})
