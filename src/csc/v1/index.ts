import type { Endpoint } from '../../http/endpoint.js'
import { login } from '../auth/login.js'
import { revoke } from '../auth/revoke.js'
import type { CscServices } from '../services.js'
import { authorize } from './credentials/authorize.js'
import { extendTransaction } from './credentials/extendTransaction.js'
import { credentialInfo } from './credentials/info.js'
import { list } from './credentials/list.js'
import { sendOTP } from './credentials/sendOTP.js'
import { infoOf } from './info.js'
import { signHash } from './signatures/signHash.js'
import { timestamp } from '../signatures/timestamp.js'

/** The methods of the CSC API v1.0.4.0 that are on: those of v2, each with its difference alone. */
export const V1_ENDPOINTS: readonly Endpoint<CscServices>[] = [
  // As the text of 1.0.4.0 prints it.
  infoOf({ specs: '1.0.3.0', base: '/csc/v1' }),
  login,
  revoke,
  list,
  credentialInfo,
  authorize,
  extendTransaction,
  sendOTP,
  signHash,
  timestamp,
]
