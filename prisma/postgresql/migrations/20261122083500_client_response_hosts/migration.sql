-- AlterTable
ALTER TABLE "Client" ADD COLUMN "responseUriHosts" TEXT;
