import { setTimeout as pause } from 'node:timers/promises'
import { SIGN_TIMEOUT_SECONDS, type ChaosInstallation } from './installation.js'
import type { Journal } from './journal.js'
import type { FaultPlan } from './plan.js'

/** A reservation lasts ten seconds longer than a signature may take. */
const PAST_RESERVATIONS_MS = (SIGN_TIMEOUT_SECONDS + 11) * 1000
/** By then another process has looked for reservations that ran out. */
const UNTIL_SWEPT_MS = 6000
/** So slow, the token has something under way at any time. */
const SLOW_TOKEN = { delayMs: 700, times: 12 }
const HOUR = 3600
const STEPS = [20, -20, HOUR, -HOUR, 24 * HOUR, -24 * HOUR]
const BEFORE_SIGNING = ['C_SignInit', 'C_Sign'] as const
const TOKEN_ERRORS = [
  'CKR_DEVICE_ERROR',
  'CKR_DEVICE_REMOVED',
  'CKR_SESSION_HANDLE_INVALID',
  'CKR_FUNCTION_FAILED',
  'CKR_HOST_MEMORY',
  'CKR_KEY_HANDLE_INVALID',
  'CKR_USER_NOT_LOGGED_IN',
  'CKR_GENERAL_ERROR',
] as const

/** Does one harm after the other until the time is over; what it began, it ends. */
export async function harm(
  installation: ChaosInstallation,
  lane: readonly FaultPlan[],
  parts: { readonly journal: Journal; readonly over: number },
): Promise<void> {
  const { journal, over } = parts
  for (const plan of lane) {
    await pause(plan.after)
    if (performance.now() > over) return
    const reason = await harmOnce(installation, plan, (what) => journal.tell('fault', what))
    if (reason !== null) journal.tell('fault', `${plan.fault}: skipped, ${reason}`)
  }
}

/** @returns why it cannot be done here, or null */
async function harmOnce(
  installation: ChaosInstallation,
  plan: FaultPlan,
  tell: (what: string) => void,
): Promise<string | null> {
  const { shim, postgres, disk, places } = installation
  const { fault, lengthMs, variant } = plan
  const number = plan.target % places.length
  const place = places[number]
  if (!place) throw new Error('no process')
  const { replica, door, clock } = place
  const here = `process ${number}: ${fault}`
  const stopped = async (which: 'signal' | 'signalKeyProcess', ms: number) => {
    tell(`${here} for ${ms} ms`)
    replica[which]('SIGSTOP')
    await pause(ms)
    replica[which]('SIGCONT')
    tell(`${here}: goes on`)
  }
  const meanwhile = async (what: string, begin: () => void, end: () => void) => {
    tell(`${what} for ${lengthMs} ms`)
    begin()
    await pause(lengthMs)
    end()
    tell(`${what}: over`)
  }

  switch (fault) {
    case 'kill server':
      tell(here)
      replica.signal('SIGKILL')
      return null
    case 'kill key process':
      tell(here)
      replica.signalKeyProcess('SIGKILL')
      return null
    case 'terminate server':
      tell(here)
      replica.signal('SIGTERM')
      return null
    case 'stop server':
      await stopped('signal', lengthMs)
      return null
    case 'stop server past its reservations':
      shim.fault('C_Sign', SLOW_TOKEN)
      await pause(SLOW_TOKEN.delayMs / 2)
      await stopped('signal', PAST_RESERVATIONS_MS + (places.length > 1 ? UNTIL_SWEPT_MS : 0))
      return null
    case 'stop key process':
      await stopped('signalKeyProcess', lengthMs)
      return null
    case 'crash database':
      if (!postgres) return 'SQLite has no process of its own'
      tell(fault)
      await postgres.crash()
      await pause(lengthMs / 2)
      await installation.bringDatabaseBack()
      tell(`${fault}: it is back`)
      return null
    case 'pause database':
      if (!postgres) return 'SQLite has no process of its own'
      await meanwhile(
        fault,
        () => postgres.pause(),
        () => postgres.resume(),
      )
      return null
    case 'token error':
    case 'token error after signing': {
      const after = fault === 'token error after signing'
      const name = after ? 'C_Sign' : pick(BEFORE_SIGNING, variant)
      const rv = pick(TOKEN_ERRORS, variant)
      const times = 1 + (variant % 12)
      tell(`${fault}: ${name} returns ${rv}, ${times} times`)
      shim.fault(name, { rv, after, times })
      await pause(lengthMs)
      shim.heal(name)
      return null
    }
    case 'token hangs':
      await meanwhile(
        fault,
        () => shim.fault('C_Sign', { hang: true, times: 1 + (variant % 4) }),
        () => shim.heal('C_Sign'),
      )
      return null
    case 'token signs wrongly':
      await meanwhile(
        fault,
        () => shim.fault('C_Sign', { garble: true, times: 1 + (variant % 8) }),
        () => shim.heal('C_Sign'),
      )
      return null
    case 'token loses sessions':
      tell(fault)
      shim.loseSessions()
      return null
    case 'token is removed':
      await meanwhile(
        fault,
        () => shim.removeToken(),
        () => shim.insertToken(),
      )
      return null
    case 'answers are cut off':
    case 'requests are cut off':
      await meanwhile(
        here,
        () => (door.cut = fault === 'answers are cut off' ? 'answers' : 'requests'),
        () => (door.cut = null),
      )
      return null
    case 'disk is full':
      if (typeof disk === 'string') return disk
      await meanwhile(
        fault,
        () => disk.fill(),
        () => disk.free(),
      )
      // PostgreSQL gives up where it cannot write its log; whoever runs it starts it again.
      await installation.bringDatabaseBack()
      return null
    case 'clock steps': {
      if (!clock) return 'there is no libfaketime'
      const seconds = pick(STEPS, variant)
      await meanwhile(
        `${here} by ${seconds} s`,
        () => clock.set(seconds),
        () => clock.set(0),
      )
      return null
    }
  }
}

function pick<T>(from: readonly T[], variant: number): T {
  const picked = from[variant % from.length]
  if (picked === undefined) throw new Error('nothing to pick from')
  return picked
}
