import type { Endpoint } from '../http/endpoint.js'
import { revoke } from './auth/revoke.js'
import { authorize } from './credentials/authorize.js'
import { extendTransaction } from './credentials/extendTransaction.js'
import { getChallenge } from './credentials/getChallenge.js'
import { credentialInfo } from './credentials/info.js'
import { list } from './credentials/list.js'
import { info } from './info.js'
import type { CscServices } from './services.js'
import { signHash } from './signatures/signHash.js'

/** The methods of the CSC API v2 that are on, in the order of the specification. */
export const CSC_ENDPOINTS: readonly Endpoint<CscServices>[] = [
  info,
  revoke,
  list,
  credentialInfo,
  authorize,
  getChallenge,
  extendTransaction,
  signHash,
]
