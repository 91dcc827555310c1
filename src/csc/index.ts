import type { Endpoint } from '../http/endpoint.js'
import { login } from './auth/login.js'
import { revoke } from './auth/revoke.js'
import { authorize } from './credentials/authorize.js'
import { authorizeCheck } from './credentials/authorizeCheck.js'
import { create } from './credentials/create.js'
import { deleteCredential } from './credentials/delete.js'
import { extendTransaction } from './credentials/extendTransaction.js'
import { getChallenge } from './credentials/getChallenge.js'
import { credentialInfo } from './credentials/info.js'
import { list } from './credentials/list.js'
import { deposit } from './documents/deposit.js'
import { withdraw } from './documents/withdraw.js'
import { renderCscError, type RenderedError } from './errors.js'
import { info } from './info.js'
import type { CscServices } from './services.js'
import { signHash } from './signatures/signHash.js'
import { signDoc } from './signatures/signDoc.js'
import { signPolling } from './signatures/signPolling.js'
import { timestamp } from './signatures/timestamp.js'
import { V0_ENDPOINTS } from './v0/index.js'
import { renderV1Error } from './v1/errors.js'
import { V1_ENDPOINTS } from './v1/index.js'
import { V1_OAUTH, type OAuthDialect } from './v1/oauth2.js'

/** The methods of the CSC API v2 that are on, in the order of the specification. */
const CSC_ENDPOINTS: readonly Endpoint<CscServices>[] = [
  info,
  login,
  revoke,
  list,
  credentialInfo,
  create,
  deleteCredential,
  authorize,
  authorizeCheck,
  getChallenge,
  extendTransaction,
  signHash,
  signDoc,
  signPolling,
  timestamp,
  deposit,
  withdraw,
]

/** One version of the API: where it answers, which methods it has, and how it words what they refuse. */
export interface CscMount {
  readonly base: string
  readonly version: string
  readonly endpoints: readonly Endpoint<CscServices>[]
  /** @param path of the method that failed */
  readonly renderError: (error: unknown, path: string) => RenderedError
  /** What its OAuth endpoints take and answer otherwise than those of v2. */
  readonly oauth?: OAuthDialect
}

/** All that are mounted (app.ts) and described (scripts/openapi.ts); the first is the one to use. */
export const CSC_MOUNTS: readonly CscMount[] = [
  { base: '/csc/v2', version: 'v2', endpoints: CSC_ENDPOINTS, renderError: renderCscError },
  {
    ...{ base: '/csc/v1', version: 'v1', endpoints: V1_ENDPOINTS, renderError: renderV1Error },
    oauth: V1_OAUTH,
  },
  {
    ...{ base: '/csc/v0', version: 'v0', endpoints: V0_ENDPOINTS, renderError: renderV1Error },
    oauth: V1_OAUTH,
  },
]

/** Addresses of methods that take documents, and so larger bodies than others. */
export const DOCUMENT_PATHS: readonly string[] = CSC_MOUNTS.flatMap(({ base, endpoints }) =>
  endpoints.filter(({ takesDocuments }) => takesDocuments).map(({ path }) => `${base}${path}`),
)

/** Addresses at which results are fetched, as often as it takes. */
export const POLL_PATHS: readonly string[] = CSC_MOUNTS.map(({ base }) => base + signPolling.path)
