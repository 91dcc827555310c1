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
import { bearer, form } from './requests.js'

/** In the order of the report. */
export const CHAPTERS: readonly Chapter[] = [info, form, bearer, credentialsList, credentialsInfo, credentialsAuthorize, authorizeCheck, getChallenge, extendTransaction]
