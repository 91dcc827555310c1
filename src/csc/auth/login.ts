import { Type } from '@sinclair/typebox'
import {
  AuthenticationFailedError,
  MalformedAuthenticationError,
  RefusedRequestError,
} from '../../errors.js'
import { inWords } from '../../http/refusals.js'
import { decodeBase64 } from '../../keys/base64.js'
import { ClientData } from '../parameters.js'
import { defineCscEndpoint } from '../services.js'

const MALFORMED_PASSWORD = 'Malformed username-password.'
const UNKNOWN_REFRESH_TOKEN = 'Invalid refresh_token'

/** Signs a person in by name and password, or again by a refresh token (CSC API v2, 11.2). */
export const login = defineCscEndpoint({
  path: '/auth/login',
  summary: 'Sign in with name and password (HTTP Basic), or with a refresh token',
  scopes: [],
  basic: true,
  isOn: ({ config }) => config.policy.authLogin !== undefined,
  request: Type.Object({
    refresh_token: Type.Optional(
      Type.String({
        pattern: '^[\\w~+/.-]+=*$',
        complaint: 'Invalid string parameter: refresh_token',
        description: 'From an earlier call; then without HTTP Basic. It is good for one use.',
      }),
    ),
    rememberMe: Type.Optional(
      Type.Boolean({
        complaint: 'Invalid parameter rememberMe',
        description: 'Return a refresh token too.',
      }),
    ),
    clientData: ClientData,
  }),
  response: Type.Object({
    access_token: Type.String({ description: 'Service token, to be used as Bearer.' }),
    refresh_token: Type.Optional(Type.String({ description: 'Replaces the one it was got with.' })),
    expires_in: Type.Integer({ description: 'Seconds until the access token expires.' }),
  }),
  refuses: [
    'malformed-authentication',
    ...inWords(MALFORMED_PASSWORD, UNKNOWN_REFRESH_TOKEN),
    'authentication-failed',
    'unauthorized-client',
  ],

  async handle(input, _caller, { passwordSignIn }, { authorization, address }) {
    const { refresh_token, rememberMe = false } = input
    // One way at a time: whoever sends both means one of them, and nobody knows which.
    if (refresh_token !== undefined && authorization !== null) {
      throw new MalformedAuthenticationError('two ways to sign in')
    }
    if (refresh_token !== undefined) {
      const tokens = await passwordSignIn.refresh(refresh_token)
      if (!tokens) throw new RefusedRequestError(UNKNOWN_REFRESH_TOKEN)
      return answer(tokens)
    }
    const attempt = { ...readBasic(authorization), address }
    const tokens = await passwordSignIn.signIn(attempt, rememberMe)
    if (!tokens) throw new AuthenticationFailedError('nobody')
    return answer(tokens)
  },
})

function answer(tokens: { accessToken: string; refreshToken: string | null; expiresIn: number }) {
  const { accessToken, refreshToken, expiresIn } = tokens
  return {
    access_token: accessToken,
    ...(refreshToken === null ? {} : { refresh_token: refreshToken }),
    expires_in: expiresIn,
  }
}

/**
 * Name and password of RFC 7617, in UTF-8; the password may hold colons.
 * @throws {MalformedAuthenticationError} @throws {RefusedRequestError}
 */
function readBasic(authorization: string | null): { username: string; password: string } {
  const credentials = /^Basic +(\S+) *$/i.exec(authorization ?? '')?.[1]
  if (!credentials) throw new MalformedAuthenticationError('not HTTP Basic')
  const [, username, password] = /^([^:]+):(.*)$/s.exec(decode(credentials)) ?? []
  if (!username || password === undefined) throw new RefusedRequestError(MALFORMED_PASSWORD)
  return { username, password }
}

/** Empty for what is no Base64, no UTF-8, or holds control characters. */
function decode(credentials: string): string {
  const bytes = decodeBase64(credentials)
  if (!bytes) return ''
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return /\p{Cc}/u.test(text) ? '' : text
  } catch {
    return ''
  }
}
