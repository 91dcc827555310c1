import type { Chapter } from '../requirement.js'
import { announcements } from './announcements.js'
import {
  authorizeCheck,
  credentialsAuthorize,
  extendTransaction,
  getChallenge,
} from './credentials-authorize.js'
import { createAndDelete } from './credentials-create.js'
import { credentialsInfo } from './credentials-info.js'
import { credentialsList } from './credentials-list.js'
import { info } from './info.js'
import { oauthAuthorize, pushed } from './oauth-authorize.js'
import { dpop } from './oauth-dpop.js'
import { authorizationDetails } from './oauth-details.js'
import { privateKeyJwt } from './oauth-private-key.js'
import { authLogin, authRevoke, metadata, revoke, token } from './oauth-token.js'
import { bearer, form } from './requests.js'
import { onTheFly } from './on-the-fly.js'
import { signPolling, timestamp } from './signatures-other.js'
import { signDoc } from './signatures-signDoc.js'
import { signHash } from './signatures-signHash.js'
import { v1Authorize, v1Bearer, v1CredentialInfo, v1Info, v1List, v1SignHash } from './v1.js'

/** In the order of the report. */
export const CHAPTERS: readonly Chapter[] = [
  ...[v1Info, v1Bearer],
  ...[info, metadata, form, bearer],
  ...[oauthAuthorize, pushed, authorizationDetails, token, revoke],
  ...[dpop, privateKeyJwt],
  ...[authLogin, authRevoke],
  ...[credentialsList, credentialsInfo],
  ...[credentialsAuthorize, authorizeCheck, getChallenge, extendTransaction],
  createAndDelete,
  ...[v1List, v1CredentialInfo, v1Authorize, v1SignHash],
  ...[signHash, signPolling, announcements, signDoc, onTheFly, timestamp],
]
