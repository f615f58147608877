# SPDX-License-Identifier: GPL-2.0
"""A service, as far as the host's memory is concerned: imports much, uses locales and ICU's data, reads and maps a
file, and stays. Tells how long each part has taken."""
import time
began = time.monotonic()

def tell(what):
    global began
    now = time.monotonic()
    print(f"{what} {now - began:.1f} s", flush=True)
    began = now

import argparse, asyncio, base64, codecs, collections, concurrent.futures, contextlib, csv, ctypes
import dataclasses, datetime, decimal, difflib, email.mime.multipart, fractions, gzip, hashlib
import html.parser, http.client, http.server, inspect, ipaddress, json, locale, logging.config
import mmap, multiprocessing, optparse, pathlib, pickle, platform, queue, random, shelve, socketserver
import sqlite3, ssl, statistics, subprocess, tempfile, threading, unittest, urllib.request
import uuid, xml.dom.minidom, xml.etree.ElementTree, xmlrpc.client, zipfile
tell("imports")

for name in "de_DE.UTF-8", "ja_JP.UTF-8", "en_US.UTF-8":
    locale.setlocale(locale.LC_ALL, name)
    time.strftime("%A %c"), locale.strxfrm("text")
for name in "iso8859-15", "koi8-r", "cp1252", "shift_jis", "utf-16", "idna":
    codecs.lookup(name)
tell("locales")

import icu
for name in "de", "ja", "zh", "ar", "hi", "th", "ko", "ru":
    where = icu.Locale(name)
    icu.Collator.createInstance(where).getSortKey("text")
    icu.DateFormat.createDateInstance(icu.DateFormat.kFull, where).format(0.0)
    where.getDisplayCountry(where), where.getDisplayLanguage(where)
tell("ICU")

with open("/data/data", "rb") as file:
    sum = 0
    while piece := file.read(1 << 16):
        sum += piece[0]
    tell("read")
    view = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
sum += view[:: mmap.PAGESIZE].count(0)
tell("mapped")
print("ready", sum, flush=True)
while True:
    time.sleep(3600)
