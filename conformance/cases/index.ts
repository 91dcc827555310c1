import type { Chapter } from '../requirement.js'
import {
  authorizeCheck,
  credentialsAuthorize,
  extendTransaction,
  getChallenge,
} from './credentials-authorize.js'
import { credentialsInfo } from './credentials-info.js'
import { credentialsList } from './credentials-list.js'
import { info } from './info.js'
import { oauthAuthorize, pushed } from './oauth-authorize.js'
import { authorizationDetails } from './oauth-details.js'
import { authLogin, authRevoke, metadata, revoke, token } from './oauth-token.js'
import { bearer, form } from './requests.js'
import { signHash } from './signatures-signHash.js'

/** In the order of the report. */
export const CHAPTERS: readonly Chapter[] = [
  ...[info, metadata, form, bearer],
  ...[oauthAuthorize, pushed, authorizationDetails, token, revoke],
  ...[authLogin, authRevoke],
  ...[credentialsList, credentialsInfo],
  ...[credentialsAuthorize, authorizeCheck, getChallenge, extendTransaction],
  signHash,
]
