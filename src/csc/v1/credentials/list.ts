import { Type } from '@sinclair/typebox'
import { InvalidParameterError } from '../../../errors.js'
import { invalid } from '../../../http/refusals.js'
import { list as v2 } from '../../credentials/list.js'
import { defineCscEndpoint } from '../../services.js'
import { v1Authorisation } from '../factors.js'

/** Most credentials in one answer. */
const PAGE = 100

const { userID, clientData } = v2.request.properties

/** `credentials/list` page by page, without infos (v1, 11.4). */
export const list = defineCscEndpoint({
  path: v2.path,
  summary: v2.summary,
  scopes: v2.scopes,
  request: Type.Object({
    userID,
    maxResults: Type.Optional(
      Type.Unknown({ description: 'Most credentials to return; ours when it makes no sense.' }),
    ),
    pageToken: Type.Optional(
      Type.String({
        complaint: 'Invalid parameter pageToken',
        description: '`nextPageToken` of the page before.',
      }),
    ),
    clientData,
  }),
  response: Type.Object({
    credentialIDs: Type.Array(Type.String(), { description: 'Names of the credentials.' }),
    nextPageToken: Type.Optional(Type.String({ description: 'Asks for the next page.' })),
  }),
  refuses: [...v2.refuses, ...invalid('pageToken')],

  async handle({ maxResults, pageToken, ...input }, caller, services, headers) {
    const asked = { ...input, credentialInfo: true, certificates: 'none', authInfo: true }
    const { credentialInfos = [] } = await v2.invoke(asked, caller, services, headers)
    const known = credentialInfos.filter(({ auth }) => v1Authorisation(auth) !== null)
    const ids = known.map(({ credentialID }) => credentialID)
    const { scope, userId, clientId } = caller
    const [owner, application] =
      scope === 'client' ? [input.userID ?? '', clientId] : [userId, null]
    const ever = pageToken ? await services.credentials.listEver(owner, application) : []
    const start = pageToken ? positionAfter(pageToken, ids, ever) : 0
    const end = start + pageSize(maxResults)
    const page = ids.slice(start, end)
    const last = page.at(-1)
    return {
      credentialIDs: page,
      ...(end < ids.length && last !== undefined ? { nextPageToken: tokenAfter(last) } : {}),
    }
  },
})

function pageSize(maxResults: unknown): number {
  const isUsable = Number.isInteger(maxResults) && (maxResults as number) > 0
  return isUsable ? Math.min(maxResults as number, PAGE) : PAGE
}

/** A page starts behind the last credential of the one before, whatever came and went since. */
function tokenAfter(credentialID: string): string {
  return Buffer.from(credentialID).toString('base64url')
}

/**
 * @param listed ids of what there is now
 * @param ever ids of what there ever was, in the same order
 * @throws {InvalidParameterError} for tokens that are not of this list
 */
function positionAfter(
  pageToken: string,
  listed: readonly string[],
  ever: readonly string[],
): number {
  const position = ever.findIndex((id) => tokenAfter(id) === pageToken)
  if (position < 0) throw new InvalidParameterError('pageToken')
  const passed = new Set(ever.slice(0, position + 1))
  return listed.filter((id) => passed.has(id)).length
}
