import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, openSync, readFileSync, readSync, closeSync, rmSync, writeFileSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Secrets } from '../../src/config/secrets.js'
import type { Credential } from '../../src/credentials/credential.js'
import {
  digestOf,
  ECDSA_SHA256,
  freePort,
  hsmSettings,
  startRssp,
  testSettings,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { ServerProcess } from '../support/server-process.js'
import { newTokenDirectory } from '../support/softhsm.js'
