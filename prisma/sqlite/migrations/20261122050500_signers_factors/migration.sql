-- AlterTable
ALTER TABLE "User" ADD COLUMN "phone" TEXT;

-- AlterTable
ALTER TABLE "SentCode" ADD COLUMN "binding" TEXT NOT NULL DEFAULT '';

-- CreateTable
CREATE TABLE "PendingAuthenticator" (
    "userId" TEXT NOT NULL PRIMARY KEY,
    "id" TEXT NOT NULL,
    "totpSecret" TEXT NOT NULL,
    "proof" TEXT NOT NULL,
    "proofHash" TEXT,
    "expiresAt" DATETIME NOT NULL
);

-- CreateTable
CREATE TABLE "RecoveryCode" (
    "userId" TEXT NOT NULL,
    "codeHash" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL,
    "usedAt" DATETIME,

    PRIMARY KEY ("userId", "codeHash")
);

-- CreateTable
CREATE TABLE "EnrolmentCode" (
    "userId" TEXT NOT NULL PRIMARY KEY,
    "codeHash" TEXT NOT NULL,
    "expiresAt" DATETIME NOT NULL,
    "usedAt" DATETIME
);
