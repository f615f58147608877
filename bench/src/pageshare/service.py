# SPDX-License-Identifier: GPL-2.0
"""A service, as far as the host's memory is concerned: imports much, reads and maps a file, and stays."""
import argparse, asyncio, base64, codecs, collections, concurrent.futures, contextlib, csv, ctypes
import dataclasses, datetime, decimal, difflib, email.mime.multipart, fractions, gzip, hashlib
import html.parser, http.client, http.server, inspect, ipaddress, json, locale, logging.config
import mmap, multiprocessing, optparse, pathlib, pickle, platform, queue, random, shelve, socketserver
import sqlite3, ssl, statistics, subprocess, tempfile, threading, time, unittest, urllib.request
import uuid, xml.dom.minidom, xml.etree.ElementTree, xmlrpc.client, zipfile

locale.setlocale(locale.LC_ALL, "C.UTF-8")
for name in "iso8859-15", "koi8-r", "cp1252", "shift_jis", "utf-16", "idna":
    codecs.lookup(name)

with open("/data/data", "rb") as file:
    sum = 0
    while piece := file.read(1 << 16):
        sum += piece[0]
    view = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
for at in range(0, len(view), mmap.PAGESIZE):
    sum += view[at]
print("ready", sum, flush=True)
while True:
    time.sleep(3600)
