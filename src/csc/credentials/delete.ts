import { isDeepStrictEqual } from 'node:util'
import { Type } from '@sinclair/typebox'
import { finalReason } from '../../certificates/revocation.js'
import {
  CredentialDeletionRequest,
  isRevocationReason,
} from '../../credentials/management-request.js'
import { ExpiredTokenError, InvalidParameterError, MissingParameterError } from '../../errors.js'
import { NO_CONTENT } from '../../http/endpoint.js'
import { invalid, missing } from '../../http/refusals.js'
import { ClientData } from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

/** Ends a credential its owner agreed to part with, and destroys the key (CSC API v2.2, 11.5). */
export const deleteCredential = defineCscEndpoint({
  path: '/credentials/delete',
  summary: 'Delete a credential and destroy its key',
  scopes: ['credential-deletion'],
  isOn: ({ config }) => config.newCredentials.allowed,
  request: Type.Object({
    credentialDeletionRequest: CredentialDeletionRequest,
    clientData: ClientData,
  }),
  response: Type.Null({ description: 'No body.' }),
  refuses: [
    ...invalid('credentialDeletionRequest', 'credentialID', 'revocationReason'),
    ...missing('integer', 'revocationReason'),
    'hsm-unavailable',
  ],

  async handle({ credentialDeletionRequest: request }, caller, { credentials, tokens }) {
    const { management } = caller
    const { credentialID, revoke = false, revocationReason } = request
    if (management?.act !== 'deletion' || management.credentialID !== credentialID) {
      throw new InvalidParameterError('credentialID')
    }
    const agreed = management.request
    if (agreed && !isDeepStrictEqual(agreed, request)) {
      throw new InvalidParameterError('credentialDeletionRequest')
    }
    if (revoke) rejectUnfitReason(revocationReason)
    const credential = await credentials.findFor(caller, credentialID)
    if (!credential) throw new InvalidParameterError('credentialID')
    if (!(await tokens.spendManagement(caller))) throw new ExpiredTokenError('used')
    const reason = revoke
      ? `deleted by its owner, reason ${revocationReason}`
      : 'deleted by its owner'
    await credentials.delete(
      credentialID,
      reason,
      revoke ? finalReason(revocationReason ?? 0) : null,
    )
    return NO_CONTENT
  },
})

/** @throws {MissingParameterError} @throws {InvalidParameterError} */
function rejectUnfitReason(reason: number | undefined): void {
  if (reason === undefined) throw new MissingParameterError('revocationReason', 'integer')
  if (!isRevocationReason(reason)) throw new InvalidParameterError('revocationReason')
}
