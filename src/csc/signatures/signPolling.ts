import { Type } from '@sinclair/typebox'
import type { Stay } from '../../admission/gate.js'
import { InvalidParameterError, MissingParameterError, RefusedRequestError } from '../../errors.js'
import type { AccessToken } from '../../http/bearer.js'
import { Accepted } from '../../http/endpoint.js'
import { invalid, inWords, missing } from '../../http/refusals.js'
import { ClientData } from '../parameters.js'
import { defineCscEndpoint, type CscServices } from '../services.js'
import { renderSigned, SignedDocumentsAnswer } from './signDoc.js'
import { SignedHashes } from './signHash.js'

const INVALID_USER = 'Invalid parameter "userID"'
const USER_KNOWN = 'userID parameter SHALL be null'

const NOT_YET = {
  error: 'accepted_request',
  error_description:
    'The previous asynchronous signature request has been accepted for processing, but the processing has not yet been completed.',
}

const Id = Type.Optional(
  Type.String({ description: 'The `responseID` of the asynchronous call; either name will do.' }),
)

/** The result of signing with operationMode A (CSC API v2, 11.12); an answer that looks like an error until then. */
export const signPolling = defineCscEndpoint({
  path: '/signatures/signPolling',
  summary: 'Fetch the result of asynchronous signing',
  scopes: ['service', 'credential', 'client'],
  request: Type.Object({
    requestID: Id,
    responseID: Id,
    userID: Type.Optional(
      Type.String({
        complaint: INVALID_USER,
        description: 'In whose name it was signed, when the application asks for itself.',
      }),
    ),
    clientData: ClientData,
  }),
  response: Type.Union([SignedHashes, SignedDocumentsAnswer]),
  accepted: Type.Object({
    error: Type.String({ description: 'accepted_request' }),
    error_description: Type.String(),
  }),
  refuses: [
    ...missing('string', 'requestID'),
    ...invalid('requestID'),
    ...inWords(USER_KNOWN, INVALID_USER),
    'hsm-unavailable',
    'hsm-outcome-unknown',
  ],

  async handle({ requestID, responseID, userID }, caller, services, { stay }) {
    const id = requestID ?? responseID
    if (id === undefined) throw new MissingParameterError('requestID', 'string')
    const { clientId } = caller
    const reader = { clientId, userId: signerOf(userID, caller) }
    try {
      return await resultOf(id, reader, services, stay)
    } catch (error) {
      if (!(error instanceof InvalidParameterError) || caller.scope !== 'client') throw error
      const owned = await services.credentials.listOwned(clientId, reader.userId)
      throw owned.length === 0 ? new RefusedRequestError(INVALID_USER) : error
    }
  },
})

async function resultOf(
  id: string,
  reader: { readonly clientId: string; readonly userId: string },
  { signingJobs, documentJobs }: CscServices,
  stay: Stay,
) {
  const documents = await documentJobs.result(id, reader, stay)
  if (documents === null) return new Accepted(NOT_YET)
  if (documents) return renderSigned(documents)
  const signatures = await signingJobs.result(id, reader)
  if (!signatures) return new Accepted(NOT_YET)
  return { signatures: signatures.map((signature) => signature.toString('base64')) }
}

/** @throws {RefusedRequestError} in the words of this method, which differ from those of credentials/list */
function signerOf(userID: string | undefined, { scope, userId }: AccessToken): string {
  if (scope !== 'client') {
    if (userID) throw new RefusedRequestError(USER_KNOWN)
    return userId
  }
  if (!userID) throw new RefusedRequestError(INVALID_USER)
  return userID
}
