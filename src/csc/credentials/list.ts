import { Type } from '@sinclair/typebox'
import type { Credential } from '../../credentials/credential.js'
import type { Credentials } from '../../credentials/credentials.js'
import { InvalidParameterError, RefusedRequestError } from '../../errors.js'
import type { AccessToken } from '../../http/bearer.js'
import { inWords, invalid } from '../../http/refusals.js'
import { CredentialInfo, describeCredential } from '../credential-info.js'
import { Certificates, ClientData, Flag, Lang } from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

const NOT_FOR_PEOPLE = 'userID parameter MUST be null'

/** The credentials of the signed-in person, or the application's own (CSC API v2, 11.4). */
export const list = defineCscEndpoint({
  path: '/credentials/list',
  summary: 'The credentials of the signed-in person, or the application’s own',
  scopes: ['service', 'client'],
  request: Type.Object({
    userID: Type.Optional(
      Type.String({
        complaint: 'Invalid parameter userID',
        description:
          'Whose credentials; for tokens an application got for itself, and for no others.',
      }),
    ),
    credentialInfo: Flag('Return credentialInfos too.'),
    certificates: Certificates,
    certInfo: Flag('Return the names and dates of the certificate.'),
    authInfo: Flag('Return how the credential is authorised.'),
    onlyValid: Flag('Leave out credentials that cannot sign now.'),
    credentialStatus: Type.Optional(
      Type.Union([Type.Literal('enabled'), Type.Literal('disabled')], {
        complaint: 'Invalid parameter credentialStatus',
        description: 'Only credentials whose `key.status` is this. An addition of ours.',
      }),
    ),
    lang: Lang,
    clientData: ClientData,
  }),
  response: Type.Object({
    credentialIDs: Type.Array(Type.String(), { description: 'Names of the credentials.' }),
    credentialInfos: Type.Optional(
      Type.Array(CredentialInfo, { description: 'In the same order, if asked for.' }),
    ),
    onlyValid: Type.Optional(Type.Boolean({ description: 'True if only usable ones are listed.' })),
  }),
  refuses: [...inWords(NOT_FOR_PEOPLE), ...invalid('userID')],

  async handle(input, caller, { credentials, now }) {
    const all =
      caller.scope === 'client'
        ? await ownedIn(input.userID, caller, credentials)
        : await ownOf(input.userID, caller, credentials)
    const listed = all.filter((each) => isWanted(credentials.isUsable(each), input))
    return {
      credentialIDs: listed.map(({ id }) => id),
      ...(input.credentialInfo
        ? { credentialInfos: listed.map((each) => describeCredential(each, input, now())) }
        : {}),
      ...(input.onlyValid ? { onlyValid: true } : {}),
    }
  },
})

/** A key is `enabled` while its credential is and its certificate is valid (CSC API v2, 11.5). */
function isWanted(
  isUsable: boolean,
  { onlyValid, credentialStatus }: { onlyValid?: boolean; credentialStatus?: string },
): boolean {
  if (onlyValid && !isUsable) return false
  return credentialStatus === undefined || credentialStatus === (isUsable ? 'enabled' : 'disabled')
}

async function ownOf(
  userID: string | undefined,
  { userId }: AccessToken,
  credentials: Credentials,
): Promise<Credential[]> {
  if (userID) throw new RefusedRequestError(NOT_FOR_PEOPLE)
  return credentials.list(userId)
}

/** An application asks in a name (CSC API v2, 8.1); of that name it sees what is its own, if anything. */
async function ownedIn(
  userID: string | undefined,
  { clientId }: AccessToken,
  credentials: Credentials,
): Promise<Credential[]> {
  const owned = userID ? await credentials.listOwned(clientId, userID) : []
  if (owned.length === 0) throw new InvalidParameterError('userID')
  return owned
}
