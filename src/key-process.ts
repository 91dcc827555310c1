import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { Secrets } from './config/secrets.js'
import { endWhenStuck, keepMemoryPrivate } from './keys/process/hardening.js'
import { LedgerRules } from './keys/process/ledger.js'
import type { FromKeyProcess, KeyProcessOrders, ToKeyProcess } from './keys/process/supervisor.js'
import { KeyServer } from './keys/process/server.js'
import { openCustody } from './keys/open-custody.js'
import { isPinRefused } from './keys/pkcs11/ckr.js'
import { createLogger } from './observability/logger.js'
import { openLedger } from './storage/open-ledger.js'

/*
 * The key process: it alone reads the PIN and loads the PKCS#11 library, and it asks the ledger itself
 * before it uses a key (docs/decisions/key-process.md). It is started by a supervisor and ends with it.
 */

/** How long a clean end may take once nobody waits for it any more. */
const LEAVE_TIMEOUT_MS = 20_000
/** Longer than that, and than a supervisor takes to notice. */
const STUCK_SECONDS = 60

process.umask(0o077)
keepMemoryPrivate()
endWhenStuck(STUCK_SECONDS)
// A terminal sends these to all of its processes; ours ends after the server, which still needs it.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
// The reader of our log lines may be gone before us.
process.stdout.on('error', () => undefined)
process.stderr.on('error', () => undefined)

let server: KeyServer | null = null
let leave: (() => Promise<void>) | null = null
let token: Awaited<ReturnType<typeof openCustody>> | null = null

process.on('message', (message: ToKeyProcess) => {
  if (message === 'ping') {
    tell({ pong: tokenState(), refusedUses: server?.refusedUses ?? 0 })
  } else if (message === 'stop') {
    end()
  } else {
    void start(message.orders)
  }
})
// Whoever started us is gone, cleanly or not.
process.on('disconnect', end)

async function start({ config, ...address }: KeyProcessOrders): Promise<void> {
  const logger = createLogger(config.log.level)
  try {
    const secrets = Secrets.read(config.secretsFile)
    const ledger = await openLedger(config.database)
    const alarm = (message: string, cause: unknown) => {
      logger.error({ alarm: 'token', err: cause }, message)
    }
    const custody = await openCustody(config, alarm, ledger, undefined, (token) => {
      logger.info({ found: token }, 'token opened')
    })
    const rules = new LedgerRules((mac, ...facts) => secrets.isBound(mac, ...facts))
    const listening = new KeyServer({ custody, ledger, rules, logger })
    server = listening
    leave = async () => {
      listening.close()
      await custody.close()
      await ledger.close()
      if (!process.connected) rmSync(dirname(address.socket), { recursive: true, force: true })
    }
    await listening.listen(address)
    token = custody
    tell('ready')
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    tell({ failed: { message, forGood: isPinRefused(error) } })
    end()
  }
}

function end(): void {
  setTimeout(() => process.exit(1), LEAVE_TIMEOUT_MS).unref()
  const left = leave?.() ?? Promise.resolve()
  left.then(
    () => process.exit(0),
    () => process.exit(1),
  )
}

function tokenState() {
  const { idle = 0, busy = 0, waiting = 0, quarantined = 0, stuck = false } = token?.state ?? {}
  const all = { idle, busy, waiting, quarantined, stuck }
  return token && 'tokens' in token.state ? { ...all, tokens: token.state.tokens } : all
}

function tell(message: FromKeyProcess): void {
  if (process.connected) process.send?.(message, () => undefined)
}
