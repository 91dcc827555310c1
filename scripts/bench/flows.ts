import { createHash, randomBytes } from 'node:crypto'
import { hashPassword, verifyPassword } from '../../src/identity/password.js'
import { totpCode } from '../../src/identity/totp.js'
import { pkce, quickHash, REDIRECT_URI, SHA256 } from '../../test/support/rssp.js'
import { SignerBrowser } from '../../test/support/signer-browser.js'
import {
  addCredential,
  addUser,
  BENCH_CLIENT,
  type BenchInstallation,
  type BenchUser,
} from './installation.js'
import type { Running } from './processes.js'
import type { Extent } from './signing.js'
import type { Figure } from './report.js'

/** Whole flows in each round; each needs a person of its own, whose one-time code works once. */
const FLOWS = 40
/** So many at a time are done here, then there: what else the machine does falls on both. */
const IN_TURN = 10
const AT_ONCE = 4

export interface Signer {
  readonly user: BenchUser
  readonly credentialID: string
}

/**
 * What the double-redirect flow with password and one-time code costs the server, against two code
 * flows of oidc-provider alone: milliseconds of processor time for each.
 */
export async function measureFlows(
  installation: BenchInstallation,
  parts: {
    readonly bare: Running
    readonly extent: Extent
    readonly say: (line: string) => void
  },
): Promise<{ figures: Figure[]; passwordMs: number }> {
  const { bare, extent, say } = parts
  const signers = await installation.lay(async (services) => {
    const made: Signer[] = []
    for (let count = 0; count < FLOWS * (extent.rounds + 1); count += 1) {
      const user = await addUser(services)
      made.push({ user, credentialID: (await addCredential(services, user, 'p-256')).id })
    }
    return made
  })
  const quick = await passwordCost(quickHash('password'))
  const passwordMs = await passwordCost(await hashPassword('password'))
  const values: number[] = []
  const baselineValues: number[] = []
  const server = await installation.serve()
  try {
    for (let round = 0; round <= extent.rounds; round += 1) {
      let [twice, whole] = [0, -quick]
      for (let done = 0; done < FLOWS; done += IN_TURN) {
        const turn = signers.slice(round * FLOWS + done, round * FLOWS + done + IN_TURN)
        twice += (await costOf(bare, turn, () => twoBareFlows(bare.origin))) / FLOWS
        whole += (await costOf(server, turn, (each) => doubleRedirect(server.origin, each))) / FLOWS
      }
      // The first round warms both up.
      if (round === 0) continue
      say(`  double redirect ${whole.toFixed(1)} ms, bare ${twice.toFixed(1)} ms of processor time`)
      values.push(whole)
      baselineValues.push(twice)
    }
  } finally {
    await server.stop()
  }
  const figure: Figure = {
    ...{ name: 'double redirect, password and TOTP', unit: 'ms CPU', baseline: 'bare' },
    ...{ values, baselineValues, demand: { atMost: 3 } },
  }
  return { figures: [figure], passwordMs }
}

async function passwordCost(hash: string): Promise<number> {
  const times = 20
  const before = process.cpuUsage()
  for (let time = 0; time < times; time += 1) await verifyPassword('password', hash)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000 / times
}

/** Milliseconds of processor time for all of them. */
async function costOf(
  server: Running,
  signers: readonly Signer[],
  flow: (signer: Signer) => Promise<void>,
): Promise<number> {
  const before = server.cpuSeconds()
  const left = [...signers]
  const work = async () => {
    for (let signer = left.pop(); signer; signer = left.pop()) await flow(signer)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return (server.cpuSeconds() - before) * 1000
}

async function twoBareFlows(origin: string): Promise<void> {
  for (let flow = 0; flow < 2; flow += 1) {
    const { code_verifier, code_challenge } = pkce()
    const browser = new SignerBrowser(origin)
    const request = new URLSearchParams({
      ...{ response_type: 'code', client_id: BENCH_CLIENT.id, redirect_uri: REDIRECT_URI },
      ...{ scope: 'openid', code_challenge, code_challenge_method: 'S256' },
    })
    const answer = await browser.open(`/auth?${request.toString()}`)
    if (!(answer instanceof URLSearchParams)) throw new Error(`a page came: ${answer.html}`)
    await redeem(`${origin}/token`, answer, code_verifier)
  }
}

/** Service token by password, then a credential token by one-time code, in one browser. */
export async function doubleRedirect(
  origin: string,
  { user, credentialID }: Signer,
): Promise<void> {
  const browser = new SignerBrowser(origin)
  const answers = { ...user, otp: () => totpCode(user.totpSecret, new Date()) }
  const digest = createHash('sha256').update(randomBytes(16)).digest('base64url')
  for (const parameters of [
    { scope: 'service' },
    {
      ...{ scope: 'credential', credentialID, numSignatures: '1' },
      ...{ hashes: digest, hashAlgorithmOID: SHA256 },
    },
  ]) {
    const { code_verifier, code_challenge } = pkce()
    const answer = await browser.authorize(
      {
        ...{ response_type: 'code', client_id: BENCH_CLIENT.id, redirect_uri: REDIRECT_URI },
        ...{ code_challenge, code_challenge_method: 'S256', ...parameters },
      },
      answers,
    )
    await redeem(`${origin}/oauth2/token`, answer, code_verifier)
  }
}

async function redeem(url: string, answer: URLSearchParams, code_verifier: string): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${BENCH_CLIENT.id}:${BENCH_CLIENT.secret}`)}` },
    body: new URLSearchParams({
      ...{ grant_type: 'authorization_code', code: answer.get('code') ?? '' },
      ...{ redirect_uri: REDIRECT_URI, code_verifier },
    }),
  })
  if (!response.ok) throw new Error(`no token: ${await response.text()} ${answer.toString()}`)
  await response.arrayBuffer()
}
