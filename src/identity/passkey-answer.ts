import {
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
  type AuthenticationResponseJSON,
  type AuthenticatorTransport,
  type RegistrationResponseJSON,
} from '@simplewebauthn/server'
import {
  cose,
  decodeAttestationObject,
  decodeClientDataJSON,
  decodeCredentialPublicKey,
  isoBase64URL,
} from '@simplewebauthn/server/helpers'
import { PasskeyRefusedError } from './passkey-refusal.js'
import type { Passkey } from './passkeys.js'

/** What an answer has to be about. */
interface Expectation {
  readonly challenge: string
  readonly origin: string
  /** Relying party; an empty list, which nothing fits, where there is none. */
  readonly rpId: string | string[]
}

const { COSEKEYS } = cose
const MIN_RSA_BYTES = 256

/**
 * @returns the counter of the authenticator
 * @throws {PasskeyRefusedError}
 */
export async function verifyAssertion(
  response: AuthenticationResponseJSON,
  { id, publicKey, counter, transports }: Passkey,
  { challenge, origin, rpId }: Expectation,
): Promise<number> {
  const { verified, authenticationInfo } = await verifyAuthenticationResponse({
    ...{ response, expectedChallenge: challenge, expectedOrigin: origin, expectedRPID: rpId },
    requireUserVerification: true,
    credential: {
      id,
      publicKey: isoBase64URL.toBuffer(publicKey),
      // Judged below, once it is certain that the authenticator has signed it.
      counter: 0,
      transports: [...transports] as AuthenticatorTransport[],
    },
  }).catch(refuse)
  if (!verified) throw new PasskeyRefusedError('refused', 'signature does not verify')
  const { newCounter } = authenticationInfo
  if ((newCounter > 0 || counter > 0) && newCounter <= counter) {
    throw new PasskeyRefusedError('cloned', `counter ${newCounter} after ${counter}`)
  }
  return newCounter
}

/**
 * @param expected.algorithms COSE numbers
 * @throws {PasskeyRefusedError}
 */
export async function verifyAttestation(
  response: RegistrationResponseJSON,
  { challenge, origin, rpId, algorithms }: Expectation & { algorithms: readonly number[] },
): Promise<Pick<Passkey, 'id' | 'publicKey' | 'counter'>> {
  const { verified, registrationInfo } = await verifyRegistrationResponse({
    ...{ response, expectedChallenge: challenge, expectedOrigin: origin, expectedRPID: rpId },
    requireUserVerification: true,
    supportedAlgorithmIDs: [...algorithms],
  }).catch(refuse)
  if (!verified) throw new PasskeyRefusedError('refused', 'attestation does not verify')
  const { id, publicKey, counter } = registrationInfo.credential
  if (id !== response.id) throw new PasskeyRefusedError('refused', 'id of another passkey')
  rejectWeakKey(publicKey)
  return { id, publicKey: isoBase64URL.fromBuffer(publicKey), counter }
}

function rejectWeakKey(publicKey: ReturnType<typeof isoBase64URL.toBuffer>): void {
  const key = decodeCredentialPublicKey(publicKey)
  if (!cose.isCOSEPublicKeyRSA(key)) return
  if ((key.get(COSEKEYS.n)?.length ?? 0) < MIN_RSA_BYTES) {
    throw new PasskeyRefusedError('refused', 'RSA key is too short')
  }
}

/** What the library throws is about the answer: it is given nothing else to fail on. */
function refuse(error: unknown): never {
  const why = error instanceof Error ? error.message : String(error)
  throw new PasskeyRefusedError('refused', why.slice(0, 200))
}

export function readClientData(clientDataJSON: string): {
  challenge: string
  crossOrigin: boolean
} {
  try {
    const { challenge, crossOrigin = false } = decodeClientDataJSON(clientDataJSON)
    if (typeof challenge === 'string')
      return { challenge, crossOrigin: (crossOrigin as unknown) !== false }
  } catch {
    // Said below.
  }
  throw new PasskeyRefusedError('refused', 'malformed client data')
}

const BASE64URL = /^[\w-]+$/
/** 1023 bytes (WebAuthn, 4). */
const MAX_ID_LENGTH = 1364

type Members = Readonly<Record<string, unknown>>

/** The members of an answer we look at; the rest of what came is dropped. */
function readAnswer(answer: string): { id: string; response: Members } {
  const { id, response } = asObject(parse(answer))
  if (typeof id !== 'string' || id.length > MAX_ID_LENGTH || !BASE64URL.test(id)) throw malformed()
  return { id, response: asObject(response) }
}

export function readAssertion(answer: string): AuthenticationResponseJSON {
  const { id, response } = readAnswer(answer)
  return {
    ...{ id, rawId: id, type: 'public-key', clientExtensionResults: {} },
    response: {
      clientDataJSON: bytes(response['clientDataJSON']),
      authenticatorData: bytes(response['authenticatorData']),
      signature: bytes(response['signature']),
      ...(response['userHandle'] == null ? {} : { userHandle: bytes(response['userHandle']) }),
    },
  }
}

export function readAttestation(answer: string): RegistrationResponseJSON {
  const { id, response } = readAnswer(answer)
  const { transports = [] } = response
  const attestationObject = bytes(response['attestationObject'])
  rejectCertificates(attestationObject)
  return {
    ...{ id, rawId: id, type: 'public-key', clientExtensionResults: {} },
    response: {
      clientDataJSON: bytes(response['clientDataJSON']),
      attestationObject,
      transports: (Array.isArray(transports) ? transports : []).filter(isTransport).slice(0, 10),
    },
  }
}

/** None was asked for; checking one could make this server fetch what the certificate points to. */
function rejectCertificates(attestationObject: string): void {
  let certified: boolean
  try {
    const attestation = decodeAttestationObject(isoBase64URL.toBuffer(attestationObject))
    const format = attestation.get('fmt')
    certified =
      format === 'packed' ? attestation.get('attStmt').get('x5c') !== undefined : format !== 'none'
  } catch {
    throw malformed()
  }
  if (certified) throw new PasskeyRefusedError('refused', 'attestation that was not asked for')
}

function isTransport(value: unknown): value is AuthenticatorTransport {
  return typeof value === 'string' && /^[a-z-]{1,20}$/.test(value)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed()
  }
}

function asObject(value: unknown): Members {
  if (typeof value !== 'object' || value === null) throw malformed()
  return value as Members
}

function bytes(value: unknown): string {
  if (typeof value !== 'string' || !BASE64URL.test(value)) throw malformed()
  return value
}

function malformed(): PasskeyRefusedError {
  return new PasskeyRefusedError('refused', 'malformed')
}
