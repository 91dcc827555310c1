import type { SandboxClient, SandboxCredential, SandboxFile, SandboxUser } from './sandbox-file.js'
import { ON_THE_FLY, SEAL_CLIENT_ID } from './people.js'

/**
 * Who signs, and who must not see it. The two versions begin with different people: a one-time code that
 * one run used is worth nothing to the other.
 */
const SIGNERS = { v2: ['bob', 'alice'], v1: ['alice', 'bob'] } as const

/**
 * Each approval on our pages takes a one-time code, of which there is one in half a minute. What needs
 * none is tried in any case; of the rest as much as fits into this time.
 */
const CONSUME = { approvals: 500, create: true, waitSecondsInAll: 600 }

/** The service takes codes one period early or late. */
const DRIFT = 1

/** Configurations of the conformance runner for this sandbox (conformance/README.md). */
export function conformanceTargets(sandbox: SandboxFile) {
  const { baseUrl, clients, users, seals } = sandbox
  const [seal] = seals
  const client = clients.find(({ client_id }) => client_id === SEAL_CLIENT_ID)
  const [otherClient] = clients
  const target = (version: 'v1' | 'v2') => ({
    name: `OpenRSSP Sandbox, ${version}`,
    baseUrl: `${baseUrl}/csc/${version}`,
    ...(client
      ? { client: { ...application(client), clientCredentials: true, userID: seal?.userID } }
      : {}),
    ...(otherClient ? { otherClient: application(otherClient) } : {}),
    signers: SIGNERS[version]
      .flatMap((name) => users.find(({ username }) => username === name) ?? [])
      .map(signer),
    ...(version === 'v2' ? { onTheFly: ON_THE_FLY } : {}),
    consume: CONSUME,
  })
  return { v1: target('v1'), v2: target('v2') }
}

function application({ client_id, client_secret, redirect_uris }: SandboxClient) {
  return { client_id, client_secret, redirect_uri: redirect_uris[0] ?? '' }
}

function signer({ username, password, pin, totpSecret, credentials }: SandboxUser) {
  const otp = { totp: totpSecret, drift: DRIFT }
  // Nobody is there to read messages or to confirm on another device.
  const onOurPages = idsOf(credentials.filter(takesAuthenticator))
  const explicit = idsOf(credentials.filter(({ objects }) => objects.join() === 'PIN'))
  const [credentialID = ''] = onOurPages
  return {
    signIn: {
      by: 'form',
      steps: [
        { field: 'username', fill: { username, password, otp }, press: 'action=continue' },
        {
          button: 'action=approve',
          // Where the application leaves the choice to the signer, it is this one.
          fill: { pin, otp, credentialID },
          press: 'action=approve',
          reject: 'action=reject',
        },
        { button: 'action=continue', press: 'action=continue' },
      ],
    },
    credentials: [...onOurPages, ...explicit],
    authData: { PIN: pin, OTP: otp },
    accountID: username,
  }
}

function takesAuthenticator({ approval, objects }: SandboxCredential): boolean {
  return approval === 'otp' && objects.length === 0
}

function idsOf(credentials: readonly SandboxCredential[]): string[] {
  return credentials.map(({ credentialID }) => credentialID)
}
