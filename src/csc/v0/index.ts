import type { Endpoint } from '../../http/endpoint.js'
import type { CscServices } from '../services.js'
import { V1_ENDPOINTS } from '../v1/index.js'
import { infoOf } from '../v1/info.js'
import { credentialInfo } from './credentials/info.js'

const OTHERWISE: readonly Endpoint<CscServices>[] = [
  infoOf({ specs: '0.1.7.9', base: '/csc/v0' }),
  credentialInfo,
]

/** The methods of the CSC API v0.1.7.9: those of v1, but for the two that differ. */
export const V0_ENDPOINTS: readonly Endpoint<CscServices>[] = V1_ENDPOINTS.map(
  (v1) => OTHERWISE.find(({ path }) => path === v1.path) ?? v1,
)
