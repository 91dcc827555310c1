import { isServiceError } from '../../errors.js'
import { renderCscError, type RenderedError } from '../errors.js'

const MALFORMED =
  'The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than once, or is otherwise malformed.'

const DENIED = 'The user, authorization server or remote service denied the request.'

/** v1 prints the same sentence three ways; clients compare what is printed. */
const MALFORMED_HEADER: Readonly<Record<string, string>> = {
  '/auth/revoke': MALFORMED.replace('required', 'REQUIRED'),
  '/credentials/extendTransaction': MALFORMED.replace('required', 'REQUIRED'),
  '/credentials/sendOTP': 'Malformed authroization header.',
}

/** What v1 calls the parameters of v2. */
const NAMES: Readonly<Record<string, string>> = {
  hashes: 'hash',
  hashAlgorithmOID: 'hashAlgo',
  authObjectID: 'credentialID',
}

/** All that clients of v1 learn of a failure: where it says nothing of its own, the words of v2. */
export function renderV1Error(error: unknown, path: string): RenderedError {
  if (!isServiceError(error)) return renderCscError(error)
  switch (error.kind) {
    case 'malformed-authorization':
      return refusal(MALFORMED_HEADER[path] ?? MALFORMED)
    case 'missing-parameter': {
      const { type, parameter } = error
      return refusal(`Missing (or invalid type) ${type} parameter ${NAMES[parameter] ?? parameter}`)
    }
    case 'invalid-parameter': {
      const { parameter } = error
      // No algorithm is named but when signing: the length of the digest stands for it.
      const byLength = parameter === 'hashAlgorithmOID' && path !== '/signatures/signHash'
      if (byLength) return refusal('Invalid digest value length')
      return refusal(`Invalid parameter ${NAMES[parameter] ?? parameter}`)
    }
    case 'invalid-authentication-data':
      // Nothing the application brought: the signer refused, or did not answer in time.
      if (error.factors.length === 0) {
        return { status: 400, error: 'access_denied', error_description: DENIED }
      }
      return error.factors.every((factor) => factor === 'pin')
        ? { status: 400, error: 'invalid_pin', error_description: 'The PIN is invalid' }
        : { status: 400, error: 'invalid_otp', error_description: 'The OTP is invalid' }
    default:
      return renderCscError(error)
  }
}

function refusal(error_description: string): RenderedError {
  return { status: 400, error: 'invalid_request', error_description }
}
