"""A KDC of our own, and the command line with its krb5.conf."""
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time

import ports

NAME = "KLAMM.TEST"
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"

JAAS = """security.protocol=SASL_PLAINTEXT
sasl.mechanism=GSSAPI
sasl.kerberos.service.name=kafka
sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required \\
    useKeyTab=true storeKey=true \\
    keyTab="{keytab}" \\
    principal="{user}@{realm}";
"""


@contextlib.contextmanager
def environ(**values):
    """These environment variables; None takes one away."""
    before = {key: os.environ.get(key) for key in values}
    put(values)
    try:
        yield
    finally:
        put(before)


def put(values):
    for key, value in values.items():
        if value is None:
            os.environ.pop(key, None)
        else:
            os.environ[key] = value


class Realm:
    """A realm with a broker, alice and bob, each with a keytab: realm.keytab("alice")."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp()
        self.port = ports.free()
        self.process = None
        self.write_config("krb5.conf", self.port)
        with open(self.file("kdc.conf"), "w", encoding="ascii") as file:
            file.write(f"[kdcdefaults]\n kdc_listen = 127.0.0.1:{self.port}\n"
                       f" kdc_tcp_listen = 127.0.0.1:{self.port}\n"
                       f"[realms]\n {NAME} = {{\n  database_name = {self.file('db')}\n"
                       f"  key_stash_file = {self.file('stash')}\n"
                       f"  acl_file = {self.file('acl')}\n }}\n")
        self.env = {**os.environ, "PATH": PATH, "KRB5_CONFIG": self.file("krb5.conf"),
                    "KRB5_KDC_PROFILE": self.file("kdc.conf")}
        self.tool("kdb5_util", "create", "-s", "-r", NAME, "-P", "master")
        self.admin("addprinc -randkey kafka/localhost",
                   f"ktadd -k {self.keytab('kafka')} kafka/localhost",
                   *(line for user in ("alice", "bob") for line in (
                       f"addprinc -randkey {user}",
                       f"ktadd -k {self.keytab(user)} {user}")))
        self.up()
        return self

    def __exit__(self, *_):
        self.down()
        shutil.rmtree(self.folder)

    def file(self, name):
        return os.path.join(self.folder, name)

    def keytab(self, user):
        return self.file(f"{user}.keytab")

    def write_config(self, name, port, **more):
        """A krb5.conf for clients, by default one that asks no DNS; its path. Options with
        the value None are left out."""
        options = {"default_realm": NAME, "dns_lookup_realm": "false",
                   "dns_lookup_kdc": "false", "dns_canonicalize_hostname": "false",
                   "udp_preference_limit": "1", "ticket_lifetime": "1h", **more}
        with open(self.file(name), "w", encoding="ascii") as file:
            file.write("[libdefaults]\n")
            file.writelines(f" {k} = {v}\n" for k, v in options.items() if v is not None)
            file.write(f"[realms]\n {NAME} = {{\n  kdc = 127.0.0.1:{port}\n }}\n")
        return self.file(name)

    def tool(self, *args):
        done = subprocess.run(args, env=self.env, capture_output=True, text=True,
                              timeout=60, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(args)}: {done.stderr}")
        return done.stdout

    def admin(self, *lines):
        for line in lines:
            self.tool("kadmin.local", "-r", NAME, *line.split())

    def up(self):
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            ["krb5kdc", "-n", "-P", self.file("pid")], env=self.env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not ports.listening(self.port):
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError("the KDC does not start")
            time.sleep(0.02)

    def down(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
            self.process = None

    def config(self, name="krb5.conf"):
        """The environment with this krb5.conf, and with no cache or keytab in it."""
        return environ(KRB5_CONFIG=self.file(name), KRB5CCNAME=None, KRB5_KTNAME=None,
                       KRB5_CLIENT_KTNAME=None)


def options(user_keytab, *more):
    return ("-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanism=GSSAPI",
            "-X", f"sasl.kerberos.keytab={user_keytab}",
            *(word for pair in more for word in ("-X", pair)))


def properties(folder, keytab, user="alice"):
    """The file of a Java client, as it is."""
    path = os.path.join(folder, f"{user}.properties")
    with open(path, "w", encoding="ascii") as file:
        file.write(JAAS.format(keytab=keytab, user=user, realm=NAME))
    return path
