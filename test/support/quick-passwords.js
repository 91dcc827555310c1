/**
 * Loaded into a server with `node --import` where a test has hundreds of people sign in and is not about how
 * their passwords are kept: scrypt then costs a thirtieth.
 */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

const { scrypt } = crypto
crypto.scrypt = (password, salt, length, options, callback) =>
  scrypt(password, salt, length, { ...options, N: 1024 }, callback)
syncBuiltinESMExports()
