import { createPublicKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { calculateJwkThumbprint, exportJWK, importPKCS8, type JWK } from 'jose'
import {
  ClientSecretBasic,
  ClientSecretPost,
  modifyAssertion,
  PrivateKeyJwt,
  type ClientAuth,
} from 'openid-client'
import type { IdentityProviderSettings } from '../config/identity-providers.js'
import { readPrivateKey } from '../config/private-key.js'

/** A key of ours that a provider knows the public half of. */
export interface OwnKey {
  readonly key: KeyObject
  readonly keyId: string
  readonly algorithm: string
  readonly use: 'sig' | 'enc'
}

/** How we prove to a provider who we are. */
export interface ProviderAuthentication {
  /** @param endpoint the address the proof is sent to */
  at(endpoint: string): ClientAuth
  readonly signingKey: OwnKey | null
}

export async function openAuthentication(
  settings: IdentityProviderSettings['authentication'],
): Promise<ProviderAuthentication> {
  if (settings.method !== 'private_key_jwt') {
    const secret = readFileSync(settings.secretFile, 'utf8').trim()
    const clientAuth =
      settings.method === 'client_secret_basic'
        ? ClientSecretBasic(secret)
        : ClientSecretPost(secret)
    return { at: () => clientAuth, signingKey: null }
  }
  const { key, keyId } = readPrivateKey(settings.keyFile)
  const algorithm = settings.algorithm ?? signingAlgorithm(key)
  const kid = settings.keyId ?? keyId ?? (await thumbprint(key))
  const signingKey: OwnKey = { key, keyId: kid, algorithm, use: 'sig' }
  const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  const cryptoKey = { key: await importPKCS8(pem, algorithm), kid }
  const forIssuer = PrivateKeyJwt(cryptoKey)
  if (settings.audience !== 'endpoint') return { at: () => forIssuer, signingKey }
  return {
    at: (endpoint) =>
      PrivateKeyJwt(cryptoKey, {
        [modifyAssertion]: (_header, payload) => {
          payload['aud'] = endpoint
        },
      }),
    signingKey,
  }
}

/** The key that opens encrypted userinfo; null when nothing comes encrypted. */
export async function openDecryptionKey(
  userinfo: IdentityProviderSettings['userinfo'],
): Promise<OwnKey | null> {
  if (userinfo.form !== 'encrypted') return null
  const { key, keyId } = readPrivateKey(userinfo.keyFile)
  const algorithm = key.asymmetricKeyType === 'rsa' ? 'RSA-OAEP-256' : 'ECDH-ES+A256KW'
  return {
    ...{ key, algorithm, use: 'enc' },
    keyId: userinfo.keyId ?? keyId ?? (await thumbprint(key)),
  }
}

export async function publicJwk({ key, keyId, algorithm, use }: OwnKey): Promise<JWK> {
  return { ...(await exportJWK(createPublicKey(key))), kid: keyId, alg: algorithm, use }
}

async function thumbprint(key: KeyObject): Promise<string> {
  return calculateJwkThumbprint(await exportJWK(createPublicKey(key)))
}

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
}

function signingAlgorithm(key: KeyObject): string {
  if (key.asymmetricKeyType === 'rsa') return 'RS256'
  if (key.asymmetricKeyType === 'ed25519') return 'Ed25519'
  const { namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  const algorithm = CURVES[namedCurve]
  if (algorithm === undefined) throw new Error(`No signature algorithm for curve ${namedCurve}`)
  return algorithm
}
