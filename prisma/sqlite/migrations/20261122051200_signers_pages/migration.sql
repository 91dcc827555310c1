-- AlterTable
ALTER TABLE "User" ADD COLUMN "signatureNotices" BOOLEAN NOT NULL DEFAULT true;

-- AlterTable
ALTER TABLE "OAuthRecord" ADD COLUMN "accountId" TEXT;
ALTER TABLE "OAuthRecord" ADD COLUMN "clientId" TEXT;

-- AlterTable
ALTER TABLE "Credential" ADD COLUMN "suspendedBy" TEXT;

-- CreateTable
CREATE TABLE "AccountEvent" (
    "seq" INTEGER NOT NULL PRIMARY KEY,
    "userId" TEXT NOT NULL,
    "at" DATETIME NOT NULL,
    "event" TEXT NOT NULL,
    "detail" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "Notice" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "userId" TEXT NOT NULL,
    "entries" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL,
    "nextTryAt" DATETIME NOT NULL,
    "tries" INTEGER NOT NULL DEFAULT 0
);

-- CreateIndex
CREATE INDEX "AccountEvent_userId_seq_idx" ON "AccountEvent"("userId", "seq");

-- CreateIndex
CREATE INDEX "Notice_nextTryAt_idx" ON "Notice"("nextTryAt");

-- CreateIndex
CREATE INDEX "OAuthRecord_accountId_model_idx" ON "OAuthRecord"("accountId", "model");

-- CreateIndex
CREATE INDEX "Transaction_userId_createdAt_idx" ON "Transaction"("userId", "createdAt");

-- CreateIndex
CREATE INDEX "Authorisation_userId_expiresAt_idx" ON "Authorisation"("userId", "expiresAt");
